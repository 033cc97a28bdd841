//! Splits raw output into lines: at `\n` and `\r\n`, and into pieces where a line is too long.
//!
//! However the output is chunked, the same bytes give the same lines.

/// Longest text of one line in bytes; a longer one is cut into pieces, never inside a UTF-8 character.
pub const LONGEST_LINE: usize = 10 * 1024;

/// Holds the beginning of the line that has not ended yet.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    pending: Vec<u8>,
    /// The beginning of this line was given out already by `flush`.
    flushed: bool,
}

impl Splitter {
    /// Calls `line` for each line that `chunk` ends, and for each piece of one that is too long.
    pub(crate) fn push(&mut self, chunk: &[u8], mut line: impl FnMut(&[u8])) {
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', chunk) {
            self.end_line(&chunk[begin..newline], &mut line);
            begin = newline + 1;
        }
        self.pending.extend_from_slice(&chunk[begin..]);
        self.cut_pending(&mut line);
    }

    /// Gives out the line that has not ended yet, if there is one.
    pub(crate) fn flush(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.pending.is_empty() {
            pieces(&self.pending, &mut line);
            self.pending.clear();
            self.flushed = true;
        }
    }

    /// Returns whether a line has begun that has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn end_line(&mut self, rest: &[u8], line: &mut impl FnMut(&[u8])) {
        let flushed = std::mem::take(&mut self.flushed);
        if self.pending.is_empty() {
            let text = rest.strip_suffix(b"\r").unwrap_or(rest);
            // The newline that ends a line given out before is no empty line.
            if !(flushed && text.is_empty()) {
                pieces(text, line);
            }
            return;
        }
        self.pending.extend_from_slice(rest);
        pieces(self.pending.strip_suffix(b"\r").unwrap_or(&self.pending), line);
        self.pending.clear();
    }

    fn cut_pending(&mut self, line: &mut impl FnMut(&[u8])) {
        let mut begin = 0;
        // One more than the longest: the last byte may be a `\r` that belongs to the newline.
        while self.pending.len() - begin > LONGEST_LINE + 1 {
            let end = begin + cut(&self.pending[begin..]);
            line(&self.pending[begin..end]);
            begin = end;
        }
        self.pending.drain(..begin);
    }
}

fn pieces(mut text: &[u8], line: &mut impl FnMut(&[u8])) {
    while text.len() > LONGEST_LINE {
        let (piece, rest) = text.split_at(cut(text));
        line(piece);
        text = rest;
    }
    line(text);
}

/// Returns where to cut a text that is too long: before the character that would not fit whole.
fn cut(text: &[u8]) -> usize {
    let continues = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let boundary = (LONGEST_LINE - 3..=LONGEST_LINE).rev().find(|&at| !continues(text[at]));
    boundary.unwrap_or(LONGEST_LINE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(line.to_vec()));
        }
        splitter.flush(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_end_at_newlines_with_or_without_carriage_return() {
        assert_eq!(split(&[b"a\nb\r", b"\n\nc\rd\0"]), [&b"a"[..], b"b", b"", b"c\rd\0"]);
    }

    #[test]
    fn a_long_line_is_cut_before_a_character_that_does_not_fit() {
        let text = format!("{}ü{}", "x".repeat(LONGEST_LINE - 1), "y".repeat(10));
        let lines = split(&[text.as_bytes()]);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST_LINE - 1, 12]);
        assert!(lines.iter().all(|line| str::from_utf8(line).is_ok()));
    }

    #[test]
    fn the_newline_after_a_flushed_prompt_is_no_empty_line() {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        splitter.push(b"name? ", |line| lines.push(line.to_vec()));
        splitter.flush(|line| lines.push(line.to_vec()));
        splitter.push(b"\n\n", |line| lines.push(line.to_vec()));
        assert_eq!(lines, [&b"name? "[..], b""]);
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing_and_no_byte_is_lost(
            parts in prop::collection::vec((0usize..25_000, prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("é")]), 0..6),
            cuts in prop::collection::vec(0usize..60_000, 0..8),
        ) {
            let output: Vec<u8> =
                parts.iter().flat_map(|(len, end)| [vec![b'x'; *len], end.as_bytes().to_vec()].concat()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(output.len())).collect();
            cuts.extend([0, output.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|ends| &output[ends[0]..ends[1]]).collect();

            let lines = split(&chunks);

            prop_assert_eq!(&lines, &split(&[&output]));
            prop_assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE));
            let without_ends = |bytes: &[u8]| bytes.iter().filter(|&&b| b != b'\n' && b != b'\r').count();
            prop_assert_eq!(lines.iter().map(|line| without_ends(line)).sum::<usize>(), without_ends(&output));
        }
    }
}
