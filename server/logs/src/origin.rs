//! Where a line comes from: a source, a process, a release. The three travel with every line.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest process name that is kept, in bytes.
const LONGEST_PROCESS: usize = 64;

/// Which part of the system a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Output of a replica.
    App,
    /// One request, as the router saw it.
    Router,
    /// Something the platform did or noticed.
    Platform,
}

impl Source {
    /// Returns the word for this source, as stored and as users filter by it.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::App => "app",
            Source::Router => "router",
            Source::Platform => "platform",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no source.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log source is `app`, `router` or `platform`, not `{0}`")]
pub struct UnknownSource(String);

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(word: &str) -> Result<Self, UnknownSource> {
        [Source::App, Source::Router, Source::Platform]
            .into_iter()
            .find(|source| source.as_str() == word)
            .ok_or_else(|| UnknownSource(word.to_owned()))
    }
}

/// Where a line comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(crate) source: Source,
    pub(crate) process: String,
    pub(crate) release: Option<u64>,
}

impl Origin {
    /// Returns the origin of lines of `process` (`web.1`, `router`, `api`); characters that a process name
    /// cannot have become `_`, so that no name can forge a line.
    pub fn new(source: Source, process: &str, release: Option<u64>) -> Self {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '@');
        let process = process.chars().take(LONGEST_PROCESS).map(|c| if fits(c) { c } else { '_' }).collect();
        Origin { source, process, release }
    }

    /// Returns the beginning of a stored line: `2026-01-02T03:04:05.678901Z app[web.1] v41 `.
    pub(crate) fn stamp(&self, at: Timestamp) -> Vec<u8> {
        let mut stamp = String::with_capacity(64);
        let written = match self.release {
            Some(release) => write!(stamp, "{at:.6} {}[{}] v{release} ", self.source, self.process),
            None => write!(stamp, "{at:.6} {}[{}] ", self.source, self.process),
        };
        written.expect("writing into a string cannot fail");
        stamp.into_bytes()
    }

    /// Returns the same process seen by the platform, for what the platform has to say about it.
    pub(crate) fn by_platform(&self) -> Origin {
        Origin { source: Source::Platform, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_a_header() {
        let origin = Origin::new(Source::App, "web.1]: x\n2026", None);
        assert_eq!(origin.process, "web.1___x_2026");
    }

    #[test]
    fn an_unknown_source_is_refused_with_the_known_ones() {
        assert_eq!("router".parse(), Ok(Source::Router));
        let error = "nginx".parse::<Source>().unwrap_err();
        assert_eq!(error.to_string(), "a log source is `app`, `router` or `platform`, not `nginx`");
    }
}
