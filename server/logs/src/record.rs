//! The stored form of a line, read back without copying:
//! `2026-01-02T03:04:05.678901Z app[web.1] v41: text`.
//!
//! The text is whatever bytes the process wrote, without the newline. A line that does not have this form
//! (the rest of a write that was cut by a full disk or a kill) is no record and is passed over.

use std::str;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;

use crate::Source;

/// One stored line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) at: Timestamp,
    pub(crate) source: Source,
    pub(crate) process: &'a str,
    pub(crate) release: Option<u64>,
    pub(crate) text: &'a [u8],
}

impl<'a> Record<'a> {
    /// Returns the record in a line given without its newline, `None` if it is not one.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Record<'a>> {
        static TIME: DateTimeParser = DateTimeParser::new();
        let (at, rest) = split_at_byte(line, b' ')?;
        let (source, rest) = split_at_byte(rest, b'[')?;
        let (process, rest) = split_at_byte(rest, b']')?;
        let (release, text) = match rest.strip_prefix(b": ") {
            Some(text) => (None, text),
            None => {
                let (release, rest) = split_at_byte(rest.strip_prefix(b" v")?, b':')?;
                (Some(str::from_utf8(release).ok()?.parse().ok()?), rest.strip_prefix(b" ")?)
            }
        };
        let source = match source {
            b"app" => Source::App,
            b"router" => Source::Router,
            b"platform" => Source::Platform,
            _ => return None,
        };
        let process = str::from_utf8(process).ok()?;
        Some(Record { at: TIME.parse_timestamp(at).ok()?, source, process, release, text })
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Origin;

    #[test]
    fn what_is_no_record_is_passed_over() {
        for line in
            ["", "half a line", "2026-01-02T03:04:05Z app[web.1", "2026-13-02T03:04:05Z app[web.1]: x"]
        {
            assert_eq!(Record::parse(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_back_as_it_was_written(
            micros in 0i64..4_000_000_000_000_000,
            process in "[a-z]{1,9}(\\.[0-9]{1,3})?",
            release: Option<u64>,
            text: Vec<u8>,
        ) {
            let at = Timestamp::from_microsecond(micros).unwrap();
            let mut line = Origin::new(Source::App, &process, release).header(at);
            line.extend_from_slice(&text);

            let record = Record::parse(&line).unwrap();

            let expected = Record { at, source: Source::App, process: &process, release, text: &text };
            prop_assert_eq!(record, expected);
        }
    }
}
