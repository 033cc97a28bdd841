//! A line as readers get it, and the two ways to show it.

use jiff::Timestamp;
use serde::Serialize;

use crate::record::Record;
use crate::{Place, Source};

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was written, in microseconds.
    pub at: Timestamp,
    /// Which part of the system wrote it.
    pub source: Source,
    /// `web.1`, `router`, `api`, …
    pub process: String,
    /// The release that the process ran, if it ran one.
    pub release: Option<u64>,
    /// The text without its newline; bytes that are no UTF-8 are replaced, ANSI sequences pass.
    pub text: String,
    /// Where to go on after this line.
    #[serde(skip)]
    pub place: Place,
}

/// How a line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Our words: `app[web.1]`, `router[router]`, `platform[api]`.
    Native,
    /// Heroku's words, which its clients colour by: `app[web.1]`, `heroku[router]`, `app[api]`.
    /// <https://devcenter.heroku.com/articles/logging#log-format>
    Heroku,
}

impl Line {
    pub(crate) fn of(record: &Record<'_>, place: Place) -> Line {
        Line {
            at: record.at,
            source: record.source,
            process: record.process.to_owned(),
            release: record.release,
            text: String::from_utf8_lossy(record.text).into_owned(),
            place,
        }
    }

    /// Returns `2026-01-02T03:04:05.678901+00:00 app[web.1]: text`.
    pub fn render(&self, style: Style) -> String {
        let source = match (style, self.source) {
            (Style::Native, source) => source.as_str(),
            (Style::Heroku, Source::App) => "app",
            // Heroku shows what a user did through the API as the app's own line.
            (Style::Heroku, Source::Platform) if self.process == "api" => "app",
            (Style::Heroku, Source::Router | Source::Platform) => "heroku",
        };
        format!("{} {source}[{}]: {}", self.time(), self.process, self.text)
    }

    /// Returns `2026-01-02T03:04:05.678901+00:00`.
    pub fn time(&self) -> String {
        let at = format!("{:.6}", self.at);
        format!("{}+00:00", at.trim_end_matches('Z'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Lane;
    use crate::position::At;

    fn line(source: Source, process: &str) -> Line {
        let at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let place = Place { lane: Lane::Router, at: At::default() };
        Line { at, source, process: process.to_owned(), release: Some(41), text: "text".to_owned(), place }
    }

    #[test]
    fn heroku_clients_see_the_words_they_know() {
        let shown = |source, process| line(source, process).render(Style::Heroku);
        assert_eq!(shown(Source::App, "web.1"), "2026-01-02T03:04:05.678901+00:00 app[web.1]: text");
        assert_eq!(shown(Source::Router, "router"), "2026-01-02T03:04:05.678901+00:00 heroku[router]: text");
        assert_eq!(shown(Source::Platform, "web.1"), "2026-01-02T03:04:05.678901+00:00 heroku[web.1]: text");
        assert_eq!(shown(Source::Platform, "api"), "2026-01-02T03:04:05.678901+00:00 app[api]: text");
    }

    #[test]
    fn our_own_style_names_the_true_source() {
        let shown = line(Source::Platform, "api").render(Style::Native);
        assert_eq!(shown, "2026-01-02T03:04:05.678901+00:00 platform[api]: text");
    }

    #[test]
    fn a_whole_second_still_shows_six_digits() {
        let mut line = line(Source::App, "web.1");
        line.at = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(line.render(Style::Native), "2026-01-02T03:04:05.000000+00:00 app[web.1]: text");
    }
}
