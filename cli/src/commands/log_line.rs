//! A line of the log in its parts, `TIME SOURCE[PROCESS]: TEXT`, the form that Heroku's tools read.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::lines;
use crate::screen::{Screen, Tone};

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogLine<'a> {
    /// When it was written.
    pub(super) at: Option<Timestamp>,
    time: &'a str,
    source: &'a str,
    process: &'a str,
    text: &'a str,
}

impl<'a> LogLine<'a> {
    /// Returns the parts, if the line has this form.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (time, rest) = line.split_once(' ')?;
        let (origin, text) = rest.split_once(']')?;
        let text = text.strip_prefix(':')?;
        let (source, process) = origin.split_once('[')?;
        let text = text.strip_prefix(' ').unwrap_or(text);
        Some(Self { at: time.parse().ok(), time, source, process, text })
    }

    /// Returns the line as data.
    pub(super) fn json(&self) -> Value {
        json!({ "at": self.time, "source": self.source, "process": self.process, "text": self.text })
    }

    /// Returns the line for the screen: on a terminal each replica has a colour.
    pub(super) fn painted(&self, screen: &Screen) -> String {
        let origin = format!("{}[{}]:", self.source, self.process);
        let origin = screen.paint(self.tone(), &lines::shown(screen, &origin));
        let time = screen.paint(Tone::Faint, &lines::shown(screen, self.time));
        format!("{time} {origin} {}", lines::shown(screen, self.text))
    }

    fn tone(&self) -> Tone {
        match (self.source, self.process) {
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
    fn a_line_has_a_time_a_source_a_process_and_a_text() {
        let line = LogLine::parse("2026-01-02T03:04:05.678901+00:00 app[web.1]: a]: b").unwrap();
        assert_eq!((line.source, line.process, line.text), ("app", "web.1", "a]: b"));
        assert_eq!(line.at.unwrap().to_string(), "2026-01-02T03:04:05.678901Z");
        assert!(LogLine::parse("prose without form").is_none());
    }
}
