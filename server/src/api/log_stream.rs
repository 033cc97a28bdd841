//! Reading logs: server-sent events for who asks for them, as Heroku's CLI does, plain lines for everybody else.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::ACCEPT;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use logs::{Line, LogDir, Position, Query, Source, Style, Tailed};

use super::answer::Answer;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::log_sessions::{LogSession, SourceFilter};

/// A quiet tail says this often that it is still there, so that nothing in between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How lines are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Lines(Style),
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let session: LogSession = capability::open(&call, Purpose::Logs)?;
    let mut db = call.read().await?;
    let app = store::find_app_by_id(&mut db, session.app).await?.filter(|app| app.deleted_at.is_none());
    drop(db);
    let app = app.ok_or_else(|| ApiError::not_found("app"))?;
    let form = form(&call);
    let dir = call.platform.logs.open(app.id).map_err(anyhow::Error::from)?;
    let seen = call.headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let (backlog, end) = backlog(dir.clone(), &session, seen).await?;
    let tail = session.tail.then(|| tail(&dir, &session, end));
    let content_type = match form {
        Form::Events => "text/event-stream",
        Form::Lines(_) => "text/plain; charset=utf-8",
    };
    let body = Body::from_stream(written(form, backlog, tail).map(Ok::<_, std::convert::Infallible>));
    Ok(Answer::stream(content_type, body))
}

/// Who asks for plain text gets our words; everybody else may be a tool that colours by Heroku's.
fn form(call: &Call) -> Form {
    let accept = call.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        Form::Events
    } else if accept.contains("text/plain") {
        Form::Lines(Style::Native)
    } else {
        Form::Lines(Style::Heroku)
    }
}

fn query(session: &LogSession) -> Query {
    let source = match session.source {
        SourceFilter::Only(source) => Some(source),
        SourceFilter::All | SourceFilter::NotApp => None,
    };
    // What is filtered here afterwards must not count as a line before.
    let lines = (session.source != SourceFilter::NotApp).then_some(session.lines);
    Query { lines, since: session.since, until: None, source, process: session.process.clone() }
}

/// Returns the lines that are there already, or those after the one that the reader saw last.
async fn backlog(
    dir: LogDir,
    session: &LogSession,
    seen: Option<Position>,
) -> Result<(VecDeque<Line>, Position), ApiError> {
    if let (Some(seen), true) = (seen, session.tail) {
        return Ok((VecDeque::new(), seen));
    }
    let query = query(session);
    let read = tokio::task::spawn_blocking(move || dir.read(&query)).await.map_err(anyhow::Error::from)?;
    let excerpt = read.map_err(anyhow::Error::from)?;
    let mut lines: VecDeque<Line> = excerpt.lines.into();
    lines.retain(|line| passes(session, line) && seen.is_none_or(|seen| line.position > seen));
    lines.drain(..lines.len().saturating_sub(session.lines));
    Ok((lines, excerpt.end))
}

fn passes(session: &LogSession, line: &Line) -> bool {
    session.source != SourceFilter::NotApp || line.source != Source::App
}

fn tail(dir: &LogDir, session: &LogSession, from: Position) -> BoxStream<'static, Tailed> {
    let tail = dir.tail(Query { lines: None, ..query(session) }, from);
    let session = session.clone();
    let wanted = move |tailed: &Tailed| match tailed {
        Tailed::Line(line) => passes(&session, line),
        Tailed::Skipped(_) => true,
    };
    tail.filter(move |tailed| std::future::ready(wanted(tailed))).boxed()
}

fn written(
    form: Form,
    backlog: VecDeque<Line>,
    tail: Option<BoxStream<'static, Tailed>>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    // Without this, Heroku's CLI waits three seconds after the end of a log that it does not follow.
    let first = (form == Form::Events).then(|| Bytes::from_static(b"retry: 1\n\n"));
    let backlog = stream::iter(backlog).map(Tailed::Line);
    let lines = match tail {
        Some(tail) => backlog.chain(tail).boxed(),
        None => backlog.boxed(),
    };
    stream::iter(first).chain(kept_alive(form, lines))
}

fn kept_alive(form: Form, lines: BoxStream<'static, Tailed>) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold(lines, move |mut lines| async move {
        // Plain text has no way to say nothing.
        let next = if form == Form::Events {
            tokio::time::timeout(KEEP_ALIVE, lines.next()).await
        } else {
            Ok(lines.next().await)
        };
        match next {
            Ok(tailed) => Some((render(form, &tailed?), lines)),
            Err(_) => Some((Bytes::from_static(b": still here\n\n"), lines)),
        }
    })
}

fn render(form: Form, tailed: &Tailed) -> Bytes {
    let text = match (form, tailed) {
        // A carriage return would end the event's line.
        (Form::Events, Tailed::Line(line)) => {
            let text = line.render(Style::Heroku).replace(['\r', '\n'], " ");
            format!("id: {}\ndata: {text}\n\n", line.position)
        }
        (Form::Events, Tailed::Skipped(skipped)) => format!("data: ({skipped})\n\n"),
        (Form::Lines(style), Tailed::Line(line)) => format!("{}\n", line.render(style)),
        (Form::Lines(_), Tailed::Skipped(skipped)) => format!("({skipped})\n"),
    };
    text.into()
}
