//! A line of the log in its parts, as the server sends them, and as `TIME SOURCE[PROCESS]: TEXT`, the form that
//! Heroku's tools read.

use serde::{Deserialize, Serialize};

use crate::lines;
use crate::screen::{Screen, Tone};

/// One object of the log's stream.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Sent {
    /// A line, and the place after it.
    Line {
        #[serde(flatten)]
        line: LogLine,
        position: String,
    },
    /// Lines that the server does not have any more, in words.
    Skipped { skipped: String },
    /// How far the stream has come.
    Place { position: String },
}

/// A line of the log.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct LogLine {
    /// When it was written.
    at: String,
    source: String,
    process: String,
    /// The number of the release that the process ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<u64>,
    text: String,
}

impl LogLine {
    /// Returns the line for the screen: on a terminal each replica has a colour.
    pub(super) fn painted(&self, screen: &Screen) -> String {
        let origin = format!("{}[{}]:", self.source, self.process);
        let origin = screen.paint(self.tone(), &lines::shown(screen, &origin));
        let time = screen.paint(Tone::Faint, &lines::shown(screen, &self.at));
        format!("{time} {origin} {}", lines::shown(screen, &self.text))
    }

    fn tone(&self) -> Tone {
        match (self.source.as_str(), self.process.as_str()) {
            ("app", _) => {
                let number: u32 = self.process.bytes().map(u32::from).sum();
                [Tone::Name, Tone::Good, Tone::Care][number as usize % 3]
            }
            (_, "router") if self.text.contains("at=error") => Tone::Bad,
            _ => Tone::Faint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_line_or_tells_of_lost_lines_or_of_a_place() {
        let text =
            r#"{"at":"2026","source":"app","process":"web.1","release":null,"text":"t","position":"0"}"#;
        let Sent::Line { line, position } = serde_json::from_str(text).unwrap() else { panic!("no line") };
        assert_eq!((line.process.as_str(), line.release, position.as_str()), ("web.1", None, "0"));
        assert!(matches!(serde_json::from_str(r#"{"skipped":"1 line skipped"}"#), Ok(Sent::Skipped { .. })));
        assert!(matches!(serde_json::from_str(r#"{"position":"0,router:1:2"}"#), Ok(Sent::Place { .. })));
    }
}
