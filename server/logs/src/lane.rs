//! The lanes of a stream: which part of it keeps a line, so that whoever writes much pushes out its own lines only.
//!
//! Requests and the platform's words have a lane each, and processes share sixteen: neighbours in number never
//! share one. When a stream is too large, the largest lane loses its oldest lines. What was dropped of a
//! process stands in that process's lane, where the gap is.

use std::fmt;
use std::str::FromStr;

use crate::{Origin, Query, Source};

/// Lanes that the processes of an app share.
const PROCESS_LANES: u64 = 16;

/// One part of a stream, with segments of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    Platform,
    Process(u8),
    Router,
    /// One of another host's, copied byte by byte.
    Copied(Copied),
}

/// A lane that another host writes, and that host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Copied {
    part: Part,
    host: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Platform,
    Process(u8),
    Router,
}

impl Lane {
    /// Returns the lane of what `origin` writes.
    pub(crate) fn of(origin: &Origin) -> Lane {
        match origin.source {
            Source::App => Lane::of_process(&origin.process),
            Source::Router => Lane::Router,
            Source::Platform => Lane::Platform,
        }
    }

    /// Returns the lane that this one is copied to when it is another host's; a copy is not copied on.
    pub(crate) fn copied_from(self, host: u128) -> Option<Lane> {
        let part = match self {
            Lane::Platform => Part::Platform,
            Lane::Process(number) => Part::Process(number),
            Lane::Router => Part::Router,
            Lane::Copied(_) => return None,
        };
        Some(Lane::Copied(Copied { part, host }))
    }

    /// Returns whether nobody here writes to it but who copies it.
    pub(crate) fn is_copied(self) -> bool {
        matches!(self, Lane::Copied(_))
    }

    /// Returns what the lane is where it is written.
    fn original(self) -> Lane {
        match self {
            Lane::Copied(Copied { part: Part::Platform, .. }) => Lane::Platform,
            Lane::Copied(Copied { part: Part::Process(number), .. }) => Lane::Process(number),
            Lane::Copied(Copied { part: Part::Router, .. }) => Lane::Router,
            lane => lane,
        }
    }

    fn of_process(process: &str) -> Lane {
        let (kind, number) = process.rsplit_once('.').unwrap_or((process, ""));
        let number: u64 = number.parse().unwrap_or(0);
        let start = u64::from(crc32fast::hash(kind.as_bytes()));
        Lane::Process(((start % PROCESS_LANES + number % PROCESS_LANES) % PROCESS_LANES) as u8)
    }

    /// Returns whether lines that `query` wants may be in this lane.
    pub(crate) fn may_hold(self, query: &Query) -> bool {
        let original = self.original();
        let source = match original {
            Lane::Process(_) => Source::App,
            Lane::Router => Source::Router,
            _ => Source::Platform,
        };
        let is_apart = |process: &str| process.contains('.') && original != Lane::of_process(process);
        query.source.is_none_or(|wanted| wanted == source)
            && query.except != Some(source)
            && !(source == Source::App && query.process.as_deref().is_some_and(is_apart))
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lane::Platform => f.write_str("platform"),
            Lane::Process(number) => write!(f, "process-{number}"),
            Lane::Router => f.write_str("router"),
            Lane::Copied(Copied { host, .. }) => write!(f, "{}@{host:032x}", self.original()),
        }
    }
}

/// A word that names no lane.
#[derive(Debug)]
pub(crate) struct UnknownLane;

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(word: &str) -> Result<Lane, UnknownLane> {
        if let Some((original, host)) = word.split_once('@') {
            let host = u128::from_str_radix(host, 16).ok().filter(|_| host.len() == 32);
            let original: Lane = original.parse()?;
            return host.and_then(|host| original.copied_from(host)).ok_or(UnknownLane);
        }
        match word {
            "platform" => Ok(Lane::Platform),
            "router" => Ok(Lane::Router),
            _ => {
                let number = word.strip_prefix("process-").and_then(|number| number.parse::<u8>().ok());
                number
                    .filter(|number| u64::from(*number) < PROCESS_LANES)
                    .map(Lane::Process)
                    .ok_or(UnknownLane)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_neighbours_have_a_lane_each() {
        let mut lanes: Vec<Lane> =
            (1..=16).map(|number| Lane::of_process(&format!("web.{number}"))).collect();
        lanes.sort();
        lanes.dedup();
        assert_eq!(lanes.len(), 16);
        assert_eq!(Lane::of_process("web.1"), Lane::of_process("web.17"));
    }

    #[test]
    fn a_lane_is_named_by_a_word_that_is_read_back() {
        let copied = Lane::Process(3).copied_from(7).unwrap();
        assert!(copied.copied_from(8).is_none());
        for lane in [Lane::Platform, Lane::Router, Lane::Process(0), Lane::Process(15), copied] {
            assert_eq!(lane.to_string().parse::<Lane>().unwrap(), lane);
        }
        for word in ["process-16", "", "router@", "router@+7", "router@7", "@7"] {
            assert!(word.parse::<Lane>().is_err(), "{word}");
        }
    }

    #[test]
    fn a_query_looks_only_where_its_lines_can_be() {
        let of = |source, process: Option<&str>| Query {
            source,
            process: process.map(str::to_owned),
            ..Query::default()
        };
        let (one, two) = (Lane::of_process("web.1"), Lane::of_process("web.2"));
        assert!(one.may_hold(&of(None, Some("web.1"))) && !two.may_hold(&of(None, Some("web.1"))));
        assert!(one.may_hold(&of(None, Some("web"))) && two.may_hold(&of(None, Some("web"))));
        assert!(Lane::Platform.may_hold(&of(None, Some("web.1"))));
        let copied = one.copied_from(7).unwrap();
        assert!(copied.may_hold(&of(None, Some("web.1"))) && !copied.may_hold(&of(None, Some("web.2"))));
        assert!(!Lane::Platform.may_hold(&of(Some(Source::App), None)));
        let not_app = Query { except: Some(Source::App), ..Query::default() };
        assert!(!one.may_hold(&not_app) && Lane::Router.may_hold(&not_app));
    }
}
