//! A build's output: as far as it is for a page, whole as a file, and line by line as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;

use super::lines::{Line, Lines};
use crate::dashboard::client::Refusal;
use crate::dashboard::page::Visitor;

/// Most lines, and about most bytes of text, that a page begins with: the last.
const LINES_SHOWN: usize = 1_000;
const BYTES_SHOWN: usize = 45_000;

/// The last lines of an output.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) lines: Vec<Line>,
    /// All lines so far, with those that are not shown.
    pub(super) count: usize,
    /// Why there is nothing.
    pub(super) gone: Option<String>,
}

impl Shown {
    /// Returns how many lines come before those that are shown.
    pub(super) fn skipped(&self) -> usize {
        self.count - self.lines.len()
    }

    /// Reads the output of a build as far as it is; of one that runs, whole lines.
    pub(super) async fn of(visitor: &Visitor, app: &str, id: &str, is_open: bool) -> Result<Self, Refusal> {
        match visitor.text(&["apps", app, "builds", id, "output"], "follow=0").await {
            Ok(text) => Ok(Self::last(&text, is_open)),
            Err(refusal) if refusal.status == StatusCode::GONE => {
                Ok(Self { gone: Some(model::wording::sentence(&refusal.message)), ..Self::default() })
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn last(text: &str, is_open: bool) -> Self {
        let mut cut = Lines::default();
        let mut lines = VecDeque::from(cut.push(text.as_bytes()));
        lines.extend((!is_open).then(|| cut.finish()).flatten());
        let size = |line: &Line| {
            line.pieces.iter().map(|(style, text)| style.len() + text.len() + 30).sum::<usize>()
        };
        let mut bytes: usize = lines.iter().map(size).sum();
        while lines.len() > LINES_SHOWN || bytes > BYTES_SHOWN {
            bytes -= lines.pop_front().as_ref().map_or(bytes, size);
        }
        Self { lines: lines.into(), count: cut.count(), gone: None }
    }
}

/// Answers with the whole output as a text.
pub(super) async fn download(visitor: Visitor, Path((app, id)): Path<(String, String)>) -> Response {
    match visitor.stream(&["apps", &app, "builds", &id, "output"], "follow=0").await {
        Ok(body) => {
            // Of a page's address only what is the name of an app and of a build comes here.
            let file = format!("attachment; filename=\"{app}-build-{id}.log\"");
            let kind = "text/plain; charset=utf-8".to_owned();
            ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, file)], body).into_response()
        }
        Err(refusal) => visitor.refused(refusal),
    }
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: usize,
}

/// Answers with the lines of a build as they come, until it ends. An event's id is how many lines there were up to its
/// end, so that a browser that comes back gets the rest.
pub(super) async fn follow(
    visitor: Visitor,
    headers: HeaderMap,
    Path((app, id)): Path<(String, String)>,
    Query(After { after }): Query<After>,
) -> Response {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    match visitor.stream(&["apps", &app, "builds", &id, "output"], "follow=1").await {
        Ok(body) => {
            let stop = visitor.dashboard.platform.signals.stop.clone();
            // The browser comes again, to the next server.
            let stopped = async move { stop.cancelled().await };
            let events = events(body, seen.unwrap_or(after)).take_until(Box::pin(stopped));
            Sse::new(events).keep_alive(KeepAlive::default()).into_response()
        }
        Err(refusal) => visitor.refused(refusal),
    }
}

fn events(body: Body, after: usize) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let begin = (body.into_data_stream(), Lines::default(), false);
    stream::unfold(begin, move |(mut body, mut lines, ended)| async move {
        if ended {
            return None;
        }
        loop {
            match body.next().await {
                Some(Ok(chunk)) => {
                    let new = lines.push(&chunk);
                    if let Some(event) = told(new, lines.count(), after) {
                        return Some((vec![event], (body, lines, false)));
                    }
                }
                // It broke off: the browser comes again.
                Some(Err(_)) => return None,
                None => {
                    let last = lines.finish().into_iter().collect();
                    let mut events: Vec<_> = told(last, lines.count(), after).into_iter().collect();
                    events.push(Event::default().event("end").data("end"));
                    return Some((events, (body, lines, true)));
                }
            }
        }
    })
    .flat_map(|events| stream::iter(events.into_iter().map(Ok)))
}

/// Returns the event that tells those of the new lines that are not known yet.
fn told(new: Vec<Line>, count: usize, after: usize) -> Option<Event> {
    let unknown = count.saturating_sub(after).min(new.len());
    let lines = &new[new.len() - unknown..];
    (!lines.is_empty())
        .then(|| Event::default().event("lines").id(count.to_string()).json_data(lines).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_the_end_of_a_long_output() {
        let text: String = (0..5_000).map(|n| format!("line {n}\n")).collect();
        let shown = Shown::last(&text, true);
        assert_eq!(shown.count, 5_000);
        assert!(shown.lines.len() <= LINES_SHOWN && shown.skipped() == 5_000 - shown.lines.len());
        assert_eq!(shown.lines.last().unwrap().pieces[0].1, "line 4999");
        assert_eq!(Shown::last("a\nhalf", true).count, 1, "the rest of the line is to come");
        assert_eq!(Shown::last("a\nhalf", false).count, 2);
    }

    #[test]
    fn only_lines_that_are_not_known_are_told() {
        let new = || Lines::default().push(b"a\nb\nc\n");
        assert!(told(new(), 10, 10).is_none());
        let event = |after| format!("{:?}", told(new(), 10, after).unwrap());
        assert!(event(8).contains("[\\\"\\\",\\\"b\\\"]") && !event(8).contains("\\\"a\\\""), "{}", event(8));
        assert!(event(0).contains("\\\"a\\\""));
    }
}
