//! One line of a log as pages show it, rendered or sent to them.

use jiff::Timestamp;
use logs::{Line, Source};
use serde::Serialize;

use super::ansi::{self, Piece};

/// Rows that the browser lays out together, or not at all while they are out of sight.
pub(super) const ROWS_TOGETHER: usize = 100;

/// A line, in the order and shape in which a page gets it by event.
#[derive(Serialize)]
pub(super) struct Row {
    /// Where it is in the stream, for its address.
    pub(super) place: String,
    /// To the microsecond, in UTC.
    pub(super) at: String,
    pub(super) source: &'static str,
    /// What is named before the text.
    pub(super) from: String,
    /// All that is known of where it comes from.
    pub(super) origin: String,
    /// Names of styles and text in turn.
    pub(super) pieces: Vec<(String, String)>,
}

impl Row {
    pub(super) fn of(line: &Line) -> Self {
        let Line { source, process, release, .. } = line;
        let from = match source {
            Source::App | Source::Router => process.clone(),
            Source::Platform if process == "platform" => process.clone(),
            Source::Platform => format!("platform {process}"),
        };
        let release = release.map(|release| format!(" v{release}")).unwrap_or_default();
        let pieces = ansi::pieces(&line.text).into_iter();
        Self {
            place: line.place.to_string(),
            at: format!("{:.6}", line.at),
            source: source.as_str(),
            from,
            origin: format!("{source}[{process}]{release}"),
            pieces: pieces.map(|Piece { style, text }| (style, text)).collect(),
        }
    }

    /// Returns the time as it stands before the text: of today the hour, of an earlier day that day too.
    pub(super) fn hour(&self, now: &str) -> String {
        if self.at.get(..10) == now.get(..10) {
            self.at.get(11..23).unwrap_or_default().to_owned()
        } else {
            format!("{} {}", self.at.get(5..10).unwrap_or_default(), self.at.get(11..19).unwrap_or_default())
        }
    }

    /// Returns the time in full.
    pub(super) fn utc(&self) -> String {
        format!("{} UTC", self.at.trim_end_matches('Z').replace('T', " "))
    }
}

/// Returns a moment as rows write theirs.
pub(super) fn written(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// Returns a line's text as a terminal would leave it, for finding words in it.
pub(super) fn plain(line: &Line) -> String {
    ansi::pieces(&line.text).into_iter().map(|piece| piece.text).collect()
}
