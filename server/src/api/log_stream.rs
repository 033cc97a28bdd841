//! Reading logs: server-sent events for who asks for them, as Heroku's CLI does, JSON objects for our own, plain
//! lines for everybody else.
//!
//! Events and objects say where in the stream they stand; a reader that comes back with that (`Last-Event-ID`)
//! gets each later line once, also from another process of this server.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::ACCEPT;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use logs::{Excerpt, Line, LogDir, Position, Query, Source, Style, Tailed};
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::log_sessions::{LogSession, SourceFilter};

/// A quiet tail says this often that it is still there, so that nothing in between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Lines that are sent as one piece if they are there at once.
const AT_ONCE: usize = 256;

/// How lines are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Objects,
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
    let backlog = backlog(dir.clone(), &session, seen).await?;
    let tail = session.tail.then(|| dir.tail(Query { lines: None, ..query(&session) }, backlog.end.clone()));
    let content_type = match form {
        Form::Events => "text/event-stream",
        Form::Objects => "application/x-ndjson",
        Form::Lines(_) => "text/plain; charset=utf-8",
    };
    let writer = LineWriter { form, position: backlog.begin.clone() };
    let body = Body::from_stream(written(writer, backlog, tail).map(Ok::<_, Infallible>));
    Ok(Answer::stream(content_type, body))
}

/// Who asks for plain text gets our words; everybody else may be a tool that colours by Heroku's.
fn form(call: &Call) -> Form {
    let accept = call.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        Form::Events
    } else if accept.contains("application/x-ndjson") {
        Form::Objects
    } else if accept.contains("text/plain") {
        Form::Lines(Style::Native)
    } else {
        Form::Lines(Style::Heroku)
    }
}

fn query(session: &LogSession) -> Query {
    let (source, except) = match session.source {
        SourceFilter::Only(source) => (Some(source), None),
        SourceFilter::All => (None, None),
        SourceFilter::NotApp => (None, Some(Source::App)),
    };
    let (lines, process) = (Some(session.lines), session.process.clone());
    Query { lines, since: session.since, until: None, source, except, process }
}

/// Returns the lines that are there already, or those after the one that the reader saw last.
async fn backlog(dir: LogDir, session: &LogSession, seen: Option<Position>) -> Result<Excerpt, ApiError> {
    if let (Some(seen), true) = (&seen, session.tail) {
        return Ok(Excerpt { begin: seen.clone(), lines: Vec::new(), end: seen.clone() });
    }
    let query = query(session);
    let read = tokio::task::spawn_blocking(move || dir.read(&query)).await.map_err(anyhow::Error::from)?;
    let mut excerpt = read.map_err(anyhow::Error::from)?;
    excerpt.lines.retain(|line| seen.as_ref().is_none_or(|seen| !seen.has_passed(line.place)));
    Ok(excerpt)
}

fn written(
    writer: LineWriter,
    backlog: Excerpt,
    tail: Option<logs::Tail>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let Excerpt { begin, lines, end } = backlog;
    let start = writer.start(&begin);
    let lines = stream::iter(lines).map(|line| Sent::Lines(Tailed::Line(line)));
    let lines = match tail {
        Some(tail) => lines.chain(stream::iter([Sent::Place(end)])).chain(tail.map(Sent::Lines)).boxed(),
        None => lines.boxed(),
    };
    stream::iter([start])
        .filter(|start| std::future::ready(!start.is_empty()))
        .chain(kept_alive(writer, lines))
}

/// What is sent after the start.
enum Sent {
    Lines(Tailed),
    /// The end of what was there already.
    Place(Position),
}

fn kept_alive(
    writer: LineWriter,
    sent: BoxStream<'static, Sent>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold((writer, sent.ready_chunks(AT_ONCE)), |(mut writer, mut sent)| async move {
        let next = match writer.still_here() {
            Some(_) => tokio::time::timeout(KEEP_ALIVE, sent.next()).await,
            None => Ok(sent.next().await),
        };
        let bytes = match next {
            Ok(chunk) => chunk?.into_iter().map(|sent| writer.write(sent)).collect::<String>().into(),
            Err(_) => Bytes::from_static(writer.still_here().unwrap_or_default()),
        };
        Some((bytes, (writer, sent)))
    })
}

/// Writes lines, and knows the place that each stands at.
struct LineWriter {
    form: Form,
    position: Position,
}

impl LineWriter {
    fn start(&self, begin: &Position) -> Bytes {
        match self.form {
            // Without this, Heroku's CLI waits three seconds after the end of a log that it does not follow.
            Form::Events => Bytes::from_static(b"retry: 1\n\n"),
            Form::Objects => format!("{}\n", json!({ "position": begin })).into(),
            Form::Lines(_) => Bytes::new(),
        }
    }

    /// Returns what says nothing; plain text has no such thing.
    fn still_here(&self) -> Option<&'static [u8]> {
        match self.form {
            Form::Events => Some(b": still here\n\n"),
            Form::Objects => Some(b"\n"),
            Form::Lines(_) => None,
        }
    }

    fn write(&mut self, sent: Sent) -> String {
        match sent {
            Sent::Lines(Tailed::Line(line)) => {
                self.position.pass(line.place);
                self.line(&line)
            }
            Sent::Lines(Tailed::Skipped(skipped)) => match self.form {
                Form::Events => format!("data: ({skipped})\n\n"),
                Form::Objects => format!("{}\n", json!({ "skipped": skipped.to_string() })),
                Form::Lines(_) => format!("({skipped})\n"),
            },
            Sent::Place(position) => {
                self.position = position;
                match self.form {
                    Form::Objects => format!("{}\n", json!({ "position": self.position })),
                    _ => String::new(),
                }
            }
        }
    }

    fn line(&self, line: &Line) -> String {
        match self.form {
            Form::Events => {
                // A carriage return would end the event's line.
                let text = line.render(Style::Heroku).replace(['\r', '\n'], " ");
                format!("id: {}\ndata: {text}\n\n", self.position)
            }
            Form::Objects => {
                let Line { source, process, release, text, .. } = line;
                let object = json!({
                    "at": line.time(), "source": source, "process": process, "release": release, "text": text,
                    "position": self.position,
                });
                format!("{object}\n")
            }
            Form::Lines(style) => format!("{}\n", line.render(style)),
        }
    }
}
