//! The stored form of a line, read back without copying:
//! `2026-01-02T03:04:05.678901Z app[web.1] v41 1a2b3c4d: text`.
//!
//! The text is whatever bytes the process wrote, without the newline. The eight digits are the CRC-32 of all the
//! rest. A line that does not have this form and this sum (the rest of a write that was cut by a full disk, a kill
//! or a power loss) is no record and is passed over.

use std::str;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;

use crate::{Origin, Source};

/// Digits of a checksum.
const SUM: usize = 8;

/// What stands before the text of a line, and the sum of it so far.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    bytes: Vec<u8>,
    sum: crc32fast::Hasher,
}

impl Header {
    /// Returns the header of lines that `origin` writes at this time.
    pub(crate) fn of(origin: &Origin, at: Timestamp) -> Header {
        let bytes = origin.stamp(at);
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes);
        Header { bytes, sum }
    }

    /// Appends a whole line to `out`.
    pub(crate) fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut sum = self.sum.clone();
        sum.update(text);
        out.extend_from_slice(&self.bytes);
        out.extend_from_slice(&digits(sum.finalize()));
        out.extend_from_slice(b": ");
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// Returns how long a line with this text is.
    pub(crate) fn length_with(&self, text: &[u8]) -> usize {
        self.bytes.len() + SUM + b": ".len() + text.len() + 1
    }
}

fn digits(sum: u32) -> [u8; SUM] {
    std::array::from_fn(|place| b"0123456789abcdef"[(sum >> (28 - 4 * place)) as usize & 15])
}

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
        let (before, text) = split_at_byte(rest, b':')?;
        let text = text.strip_prefix(b" ")?;
        let (release, sum) = before.split_at_checked(before.len().checked_sub(SUM)?)?;
        let release = match release {
            b" " => None,
            _ => Some(str::from_utf8(release.strip_prefix(b" v")?.strip_suffix(b" ")?).ok()?.parse().ok()?),
        };
        let mut expected = crc32fast::Hasher::new();
        expected.update(&line[..line.len() - text.len() - b": ".len() - SUM]);
        expected.update(text);
        if *sum != digits(expected.finalize()) {
            return None;
        }
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
            let mut line = Vec::new();
            Header::of(&Origin::new(Source::App, &process, release), at).write(&text, &mut line);
            line.pop();

            let record = Record::parse(&line).unwrap();

            let expected = Record { at, source: Source::App, process: &process, release, text: &text };
            prop_assert_eq!(record, expected);
        }

        #[test]
        fn no_part_of_a_record_and_no_damaged_one_is_a_record(
            text in prop::collection::vec(any::<u8>(), 0..60), cut: prop::sample::Index, flip in 1u8..,
        ) {
            let mut line = Vec::new();
            Header::of(&Origin::new(Source::App, "web.1", Some(7)), Timestamp::UNIX_EPOCH).write(&text, &mut line);
            line.pop();
            let at = cut.index(line.len());

            prop_assert_eq!(Record::parse(&line[..at]), None);
            line[at] ^= flip;
            prop_assert_eq!(Record::parse(&line), None);
        }
    }
}
