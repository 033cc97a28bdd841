//! Keeps the output of a build within bounds: the length of a line, and of the whole, of which the beginning and the
//! latest lines stay. What is between them is counted.

use std::mem;

/// Most bytes of one line.
const LINE_MAX: usize = 16 * 1024;

/// Most bytes of the latest lines, once the whole is full.
const LATEST_MAX: usize = 64 * 1024;

/// Counts what passes, and cuts off what is too much.
#[derive(Debug)]
pub(crate) struct Bounds {
    left: u64,
    line: usize,
    latest: Vec<u8>,
    dropped: u64,
    told: bool,
}

impl Bounds {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { left: bytes, line: 0, latest: Vec::new(), dropped: 0, told: false }
    }

    /// Appends to `out` what is within the bounds, and once that the whole is full.
    pub(crate) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A line that was begun ends where it began.
            if self.left > 0 || (self.line > 0 && self.latest.is_empty() && !self.told) {
                let from = out.len();
                self.pass_piece(piece, out);
                self.left = self.left.saturating_sub((out.len() - from) as u64);
                continue;
            }
            if !mem::replace(&mut self.told, true) {
                out.extend_from_slice(
                    b" !     The log is full; of what follows only the latest lines are kept\n",
                );
            }
            let mut latest = mem::take(&mut self.latest);
            self.pass_piece(piece, &mut latest);
            self.latest = latest;
            // Twice as much before it is cut, so that small writes do not move it all each time.
            if self.latest.len() > 2 * LATEST_MAX {
                self.forget();
            }
        }
    }

    /// Appends to `out` the latest lines, behind a mark that says how much before them is left out.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.forget();
        if self.dropped > 0 {
            let mark = format!(" !     {} bytes of output are left out here\n", mem::take(&mut self.dropped));
            out.extend_from_slice(mark.as_bytes());
        }
        out.append(&mut self.latest);
        self.line = 0;
    }

    /// Cuts the latest lines to what is kept of them, at a line's beginning.
    fn forget(&mut self) {
        let surplus = self.latest.len().saturating_sub(LATEST_MAX);
        if surplus > 0 {
            let end = self.latest[surplus - 1..].iter().position(|byte| *byte == b'\n');
            let cut = end.map_or(surplus, |end| surplus + end);
            self.latest.drain(..cut);
            self.dropped += cut as u64;
        }
    }

    fn pass_piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let ends = piece.ends_with(b"\n");
        let (text, end) = piece.split_at(piece.len() - usize::from(ends));
        let room = LINE_MAX.saturating_sub(self.line);
        let kept = &text[..text.len().min(room)];
        out.extend_from_slice(kept);
        if kept.len() < text.len() && self.line <= LINE_MAX {
            out.extend_from_slice(b" [the rest of the line is left out]");
            self.line = LINE_MAX + 1;
        } else if self.line <= LINE_MAX {
            self.line += kept.len();
        }
        out.extend_from_slice(end);
        if ends {
            self.line = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_line_is_cut_once_and_the_next_one_is_whole() {
        let (mut bounds, mut out) = (Bounds::new(1 << 20), Vec::new());
        for _ in 0..1000 {
            bounds.pass(&[b'x'; 10_000], &mut out);
        }
        bounds.pass(b"\nnext\n", &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("left out]").count(), 1);
        assert!(text.ends_with("left out]\nnext\n") && text.len() < LINE_MAX + 60, "{}", text.len());
    }

    #[test]
    fn a_little_too_much_is_kept_whole() {
        let (mut bounds, mut out) = (Bounds::new(8), Vec::new());
        bounds.pass(b"012", &mut out);
        bounds.pass(b"3456789\nab\n", &mut out);
        bounds.finish(&mut out);
        let full = " !     The log is full; of what follows only the latest lines are kept\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("0123456789\n{full}ab\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_beginning_and_the_end_are_kept_and_what_is_between_is_counted(
            lengths in prop::collection::vec(0usize..9_000, 1..80), chunk in 1usize..20_000,
        ) {
            let lines = lengths.iter().enumerate().map(|(n, length)| format!("{n} {}\n", "x".repeat(*length)));
            let text: String = lines.collect();
            let (mut bounds, mut out) = (Bounds::new(100_000), Vec::new());
            text.as_bytes().chunks(chunk).for_each(|chunk| bounds.pass(chunk, &mut out));
            bounds.finish(&mut out);

            let out = String::from_utf8(out).unwrap();
            prop_assert!(out.len() < 100_000 + LINE_MAX + LATEST_MAX + 200);
            let kept: Vec<&str> = out.lines().filter(|line| !line.starts_with(" ! ")).collect();
            let all: Vec<&str> = text.lines().collect();
            let head = kept.iter().zip(&all).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(&kept[head..], &all[all.len() - (kept.len() - head)..]);
            prop_assert_eq!(kept.last(), all.last());
            let count = out.lines().find_map(|line| line.strip_suffix(" bytes of output are left out here"));
            let count = count.map_or(0, |line| line.trim_start_matches([' ', '!']).parse::<usize>().unwrap());
            let bytes = kept.iter().map(|line| line.len() + 1).sum::<usize>();
            prop_assert_eq!(bytes + count, text.len());
        }
    }
}
