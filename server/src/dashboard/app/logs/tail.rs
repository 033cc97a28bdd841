//! Sends a page the lines that come, as events of many lines each. An event's id is the position behind its last line: a
//! browser that comes back with it gets each later line once, also from another process of this server.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use logs::{Position, Tail, Tailed};

use super::filter::{Fields, Filter};
use super::row::{self, Row};
use crate::dashboard::client::Refusal;

/// Lines that are sent as one event if they are there at once.
const AT_ONCE: usize = 500;

/// A tail ends after this long and the browser comes again: who may no longer see it is told so then.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// How soon a browser comes again.
const RETRY: Duration = Duration::from_secs(1);

/// Returns where a page's tail begins: behind the last event that it got, or behind the lines that it was made with.
///
/// # Errors
/// It names no position.
pub(super) fn begin(headers: &HeaderMap, fields: &Fields) -> Result<Position, Refusal> {
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let text = seen.filter(|text| !text.is_empty()).unwrap_or(&fields.after);
    text.parse().map_err(|error: logs::PositionError| Refusal::invalid(error.to_string()))
}

/// Answers with the lines that the filter wants, until `stop`.
pub(super) fn answer(
    tail: Tail,
    begin: Position,
    filter: Filter,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let ends = async move {
        let _ = tokio::time::timeout(LIFE, stop).await;
    };
    let hello = futures::stream::iter([Ok(Event::default().retry(RETRY))]);
    let events = hello.chain(events(tail, begin, filter)).take_until(ends);
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn events(
    tail: Tail,
    mut position: Position,
    filter: Filter,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    tail.ready_chunks(AT_ONCE).flat_map(move |chunk| {
        let mut rows: Vec<Row> = Vec::new();
        let mut events = Vec::new();
        for tailed in chunk {
            match tailed {
                Tailed::Line(line) => {
                    position.pass(line.place);
                    if filter.finds(&row::plain(&line)) {
                        rows.push(Row::of(&line));
                    }
                }
                Tailed::Skipped(skipped) => {
                    events.extend(lines(&position, &mut rows));
                    events.push(Event::default().event("skipped").data(skipped.to_string()));
                }
            }
        }
        events.extend(lines(&position, &mut rows));
        futures::stream::iter(events.into_iter().map(Ok))
    })
}

fn lines(position: &Position, rows: &mut Vec<Row>) -> Option<Event> {
    let rows = std::mem::take(rows);
    let event = Event::default().event("lines").id(position.to_string());
    (!rows.is_empty()).then(|| event.json_data(rows).unwrap_or_default())
}
