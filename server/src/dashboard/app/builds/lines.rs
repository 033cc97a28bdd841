//! Cuts a build's output into lines that a page can show: in styles instead of escape codes, and none without an end.

use serde::Serialize;

use crate::dashboard::app::logs::ansi::{self, Piece};

/// Most bytes of a line; what is longer is continued in the next.
const LINE_MAX: usize = 4_096;

/// A line of an output.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// `step` or `warn`, for what the platform itself says; otherwise nothing.
    pub(super) kind: &'static str,
    /// Pairs of style and text.
    pub(super) pieces: Vec<(String, String)>,
}

/// Cuts what comes in pieces. Where the cuts are does not depend on the pieces, so that lines can be counted.
#[derive(Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
    /// The lines so far.
    count: usize,
}

impl Lines {
    /// Takes what comes next and returns the lines that it completes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        self.pending.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some((line, rest)) = first_line(&self.pending[from..]) {
            lines.push(shown(line));
            from = self.pending.len() - rest;
        }
        self.pending.drain(..from);
        self.count += lines.len();
        lines
    }

    /// Returns what no line end followed.
    pub(super) fn finish(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| {
            self.count += 1;
            shown(&rest)
        })
    }

    /// Returns how many lines there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// Returns the first whole line, and how many bytes come after it.
fn first_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let reach = &bytes[..bytes.len().min(LINE_MAX)];
    match reach.iter().position(|byte| *byte == b'\n') {
        Some(end) => Some((&bytes[..end], bytes.len() - end - 1)),
        None => (reach.len() == LINE_MAX).then(|| (reach, bytes.len() - LINE_MAX)),
    }
}

fn shown(line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(line);
    // What a progress bar has written over is not there to be seen.
    let text = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let kind = match text {
        step if step.starts_with("-----> ") => "step",
        warning if warning.starts_with(" !     ") => "warn",
        _ => "",
    };
    let pieces = ansi::pieces(text).into_iter().map(|Piece { style, text }| (style, text)).collect();
    Line { kind, pieces }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.pieces.iter().map(|(_, text)| text.as_str()).collect()).collect()
    }

    fn whole(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = lines.push(bytes);
        found.extend(lines.finish());
        assert_eq!(found.len(), lines.count());
        text(&found)
    }

    #[test]
    fn a_line_is_what_a_terminal_would_show_in_the_end() {
        assert_eq!(whole(b"10%\r50%\r100%\r\n\x1b[31mred\x1b[0m\nrest"), ["100%", "red", "rest"]);
        assert_eq!(whole(b"\n\n"), ["", ""]);
        assert!(whole(b"").is_empty());
    }

    #[test]
    fn what_the_platform_says_is_told_from_what_programs_write() {
        let mut lines = Lines::default();
        let kinds: Vec<_> =
            lines.push(b"-----> Detecting\n !     failed\nx\n").iter().map(|line| line.kind).collect();
        assert_eq!(kinds, ["step", "warn", ""]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let long = vec![b'x'; LINE_MAX * 2 + 1];
        let lengths: Vec<_> = whole(&long).iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_MAX, LINE_MAX, 1]);
    }

    proptest! {
        #[test]
        fn the_lines_do_not_depend_on_how_the_output_comes(
            parts in prop::collection::vec(prop_oneof!["[a-z\n\r]{0,40}", "[é\n]{0,5000}"], 0..8),
        ) {
            let bytes = parts.concat();
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for part in &parts {
                found.extend(lines.push(part.as_bytes()));
            }
            found.extend(lines.finish());
            prop_assert_eq!(text(&found), whole(bytes.as_bytes()));
        }
    }
}
