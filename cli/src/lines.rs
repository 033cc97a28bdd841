//! Copies a stream of lines to stdout as they arrive, as text or as JSON. On a terminal only colours pass; other
//! control sequences of an app could steer it.

use std::io::BufRead;

use serde_json::json;

use crate::error::{Error, Result};
use crate::screen::Screen;

/// Most bytes of a line that are kept together.
const LINE_MAX: u64 = 1 << 20;

/// Hands over each line without its end until the stream ends.
///
/// # Errors
/// What `take` fails with, or the stream broke off.
pub(crate) fn each(mut stream: impl BufRead, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let broken =
            |_| Error { kind: crate::error::Kind::Unreachable, ..Error::failed("the stream broke off") };
        if std::io::Read::take(&mut stream, LINE_MAX).read_until(b'\n', &mut line).map_err(broken)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        take(text.trim_end_matches(['\n', '\r']))?;
    }
}

/// Prints each line, or `{"text": …}` for each, and returns how many there were.
///
/// # Errors
/// As [`each`].
pub(crate) fn copy(screen: &Screen, stream: impl BufRead, as_json: bool) -> Result<u64> {
    let mut count = 0;
    each(stream, |line| {
        count += 1;
        if as_json {
            screen.print(&json!({ "text": line }).to_string())
        } else {
            screen.print(&shown(screen, line))
        }
    })?;
    Ok(count)
}

/// Returns the line as it may be shown on this screen.
pub(crate) fn shown(screen: &Screen, line: &str) -> String {
    if screen.interactive { harmless(line, screen.colour) } else { line.to_owned() }
}

/// Returns the line as it may be shown beside the output, on stderr.
pub(crate) fn told(screen: &Screen, line: &str) -> String {
    harmless(line, screen.status_colour)
}

/// Returns the text without control characters, apart from tabs and, if wanted, colours (`ESC [ … m`).
fn harmless(text: &str, colour: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let sequence = rest.strip_prefix("\u{1b}[").map(|after| {
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
            after[end..].starts_with('m').then_some(2 + end + 1)
        });
        let length = sequence.flatten();
        if let Some(length) = length.filter(|_| colour) {
            out.push_str(&rest[..length]);
        }
        let skipped = length.unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8));
        rest = &rest[skipped..];
    }
    out.push_str(rest);
    if colour && text.contains('\u{1b}') {
        out.push_str("\u{1b}[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_what_steers_a_terminal_does_not() {
        let line = "a\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{7}\tz\u{1b}]0;title";
        assert_eq!(harmless(line, true), "a\u{1b}[1;31mred\u{1b}[0m[2J\tz]0;title\u{1b}[0m");
        assert_eq!(harmless(line, false), "ared[2J\tz]0;title");
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        let mut seen = Vec::new();
        each(&b"a\r\n\nb\xff"[..], |line| {
            seen.push(line.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["a", "", "b\u{fffd}"]);
    }
}
