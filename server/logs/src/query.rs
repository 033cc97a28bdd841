//! Which lines a reader wants.

use jiff::Timestamp;

use crate::Source;
use crate::record::Record;

/// Which lines of a stream are wanted; the default is all that a reader may get at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// At most this many, the latest ones; never more than [`Query::MOST_LINES`].
    pub lines: Option<usize>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Not after this time.
    pub until: Option<Timestamp>,
    /// Only from this source. What was dropped of a process counts as its own words: who reads only those is to
    /// know of the gap.
    pub source: Option<Source>,
    /// Not from this source.
    pub except: Option<Source>,
    /// Only of this process (`web.1`) or of all processes of a type (`web`).
    pub process: Option<String>,
}

impl Query {
    /// Lines that one [`crate::LogDir::read`] returns at most.
    pub const MOST_LINES: usize = 100_000;

    pub(crate) fn most_lines(&self) -> usize {
        self.lines.unwrap_or(Query::MOST_LINES).min(Query::MOST_LINES)
    }

    /// Returns whether a line of a lane that may hold such lines is one.
    pub(crate) fn wants(&self, record: &Record<'_>) -> bool {
        self.process.as_deref().is_none_or(|wanted| is_or_belongs_to(record.process, wanted))
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at <= until)
    }
}

fn is_or_belongs_to(process: &str, wanted: &str) -> bool {
    let rest = process.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && !wanted.contains('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_exactly_or_by_its_type() {
        assert!(is_or_belongs_to("web.1", "web.1"));
        assert!(is_or_belongs_to("web.1", "web"));
        assert!(is_or_belongs_to("router", "router"));
        assert!(!is_or_belongs_to("web.12", "web.1"));
        assert!(!is_or_belongs_to("webhook.1", "web"));
        assert!(!is_or_belongs_to("web.1", "web.1.2"));
    }
}
