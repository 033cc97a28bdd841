//! The log of an app: the latest lines that somebody asks for, or those around one of them; then, with scripts, what comes.
//! Reading the stream is the crate `logs`' part, who may read it the API's.

pub(super) mod ansi;
mod download;
mod filter;
mod row;
mod tail;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use logs::{Excerpt, Line, LogDir, Source};
use serde::Deserialize;

use super::AppHead;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Visitor};
use filter::{Fields, Filter};
use row::{ROWS_TOGETHER, Row};

/// Lines before and after one that has an address.
const AROUND: (usize, usize) = (100, 100);

/// Numbers of lines that the form offers.
const NUMBERS: [usize; 4] = [200, 1_000, 5_000, filter::LINES_MAX];

#[derive(Template)]
#[template(path = "app/logs.html")]
struct LogsPage {
    frame: Frame,
    head: AppHead,
    fields: Fields,
    lines: usize,
    types: Vec<String>,
    /// Rows from old to new, in parts.
    parts: Vec<Vec<Row>>,
    /// The end of the rows, where the tail begins; none where nothing can come.
    after: Option<String>,
    /// There are probably more lines before the first one.
    has_earlier: bool,
    /// The app itself has not written anything, nor answered a request.
    is_silent: bool,
    note: Option<String>,
    command: String,
    now: String,
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/logs", get(show))
        .route("/apps/{app}/logs/tail", get(follow))
        .route("/apps/{app}/logs/download", get(save))
}

async fn show(visitor: Visitor, Path(app): Path<String>, Query(fields): Query<Fields>) -> Response {
    visitor.page(view(&visitor, &app, fields).await)
}

async fn view(visitor: &Visitor, name: &str, fields: Fields) -> Result<LogsPage, Refusal> {
    let head = AppHead::of(visitor, name, "logs").await?;
    let formation: Vec<Entry> = visitor.get(&["apps", name, "formation"]).await?;
    let now = Timestamp::now();
    let filter = Filter::of(&fields, now)?;
    let command = fields.command(name, &filter, now);
    let is_plain = !fields.any() && fields.at.is_empty();
    let (is_open, lines) = (filter.is_open() && fields.at.is_empty(), filter.lines);
    let log = log(visitor, name).await?;
    let place = fields.at.clone();
    let read = tokio::task::spawn_blocking(move || read(&log, filter, &place)).await;
    let (excerpt, note) = read.map_err(Refusal::internal)??;
    Ok(LogsPage {
        frame: visitor.frame(format!("Log of {name}"), "apps"),
        head,
        lines,
        types: formation.into_iter().map(|entry| entry.r#type).collect(),
        after: is_open.then(|| excerpt.end.to_string()),
        has_earlier: excerpt.lines.len() >= lines.min(AROUND.0 + 1),
        is_silent: is_plain && excerpt.lines.iter().all(|line| line.source == Source::Platform),
        parts: excerpt.lines.chunks(ROWS_TOGETHER).map(|lines| lines.iter().map(Row::of).collect()).collect(),
        note,
        command,
        fields,
        now: row::written(now),
    })
}

/// Opens the log of an app that the visitor was found to see.
async fn log(visitor: &Visitor, name: &str) -> Result<LogDir, Refusal> {
    let platform = &visitor.dashboard.platform;
    let mut db = platform.store.read().await?;
    let app = store::find_app(&mut db, name).await?.ok_or_else(Refusal::not_found)?;
    drop(db);
    platform.logs.open(app.id).map_err(Refusal::internal)
}

/// Reads the lines of a page, and says what is to be known of them.
fn read(log: &LogDir, filter: Filter, place: &str) -> Result<(Excerpt, Option<String>), Refusal> {
    if !place.is_empty() {
        let wrong = |error: logs::PositionError| Refusal::invalid(error.to_string());
        let around = log.around(&filter.query(), place.parse().map_err(wrong)?, AROUND);
        return around.map_err(Refusal::internal)?.map(|excerpt| (excerpt, None)).ok_or_else(gone);
    }
    let mut excerpt = log.read(&filter.query()).map_err(Refusal::internal)?;
    let read = excerpt.lines.len();
    excerpt.lines.retain(|line: &Line| filter.finds(&row::plain(line)));
    let note = filter.has_text().then(|| found(excerpt.lines.len(), read, filter.lines));
    let more = excerpt.lines.len().saturating_sub(filter.lines);
    excerpt.lines.drain(..more);
    Ok((excerpt, note))
}

fn found(found: usize, read: usize, shown: usize) -> String {
    let newest = if read >= filter::SEARCHED { "the newest " } else { "all " };
    let shown = if found > shown { format!("; the newest {shown} of them are shown") } else { String::new() };
    let more = if read >= filter::SEARCHED { "; Download looks through everything that is kept" } else { "" };
    format!("Found in {found} of {newest}{read} lines{shown}{more}.")
}

fn gone() -> Refusal {
    Refusal {
        hint: Some(
            "a log keeps its lines for seven days, and of an app that writes much its newest 64 MB"
                .to_owned(),
        ),
        status: axum::http::StatusCode::NOT_FOUND,
        message: "that line is not kept any more".to_owned(),
    }
}

async fn follow(
    visitor: Visitor,
    Path(app): Path<String>,
    Query(fields): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let tail = async {
        AppHead::of(&visitor, &app, "logs").await?;
        let begin = tail::begin(&headers, &fields)?;
        let filter = Filter::of(&fields, Timestamp::now())?;
        let tail = log(&visitor, &app).await?.tail(filter.tail_query(), begin.clone());
        let stop = visitor.dashboard.platform.signals.stop.clone();
        Ok(tail::answer(tail, begin, filter, stop.cancelled_owned()))
    };
    tail.await.unwrap_or_else(|refusal| visitor.refused(refusal))
}

async fn save(visitor: Visitor, Path(app): Path<String>, Query(fields): Query<Fields>) -> Response {
    let file = async {
        AppHead::of(&visitor, &app, "logs").await?;
        let filter = Filter::of(&fields, Timestamp::now())?;
        let range = log(&visitor, &app).await?.range(filter.query()).map_err(Refusal::internal)?;
        Ok(download::answer(&app, range, filter))
    };
    file.await.unwrap_or_else(|refusal| visitor.refused(refusal))
}

impl LogsPage {
    /// Returns where the tail of these lines comes from.
    fn tail(&self) -> Option<String> {
        let query = self.fields.address();
        let join = if query.is_empty() { "?" } else { "&" };
        let after = filter::escaped(self.after.as_deref()?);
        Some(format!("/dashboard/apps/{}/logs/tail{query}{join}after={after}", self.head.name))
    }

    /// Returns the numbers of lines to choose from, and whether each is chosen.
    fn numbers(&self) -> impl Iterator<Item = (usize, bool)> {
        let own = Some(self.lines).filter(|lines| !NUMBERS.contains(lines));
        NUMBERS.into_iter().chain(own).map(|number| (number, number == self.lines))
    }

    fn first(&self) -> Option<&str> {
        self.parts.first()?.first().map(|row| row.place.as_str())
    }

    fn last(&self) -> Option<&str> {
        self.parts.last()?.last().map(|row| row.place.as_str())
    }
}
