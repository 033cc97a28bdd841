//! Keeps the output of a build within bounds: the length of a line and of the whole.

/// Most bytes of one line.
const LINE_MAX: usize = 16 * 1024;

/// Counts what passes, and cuts off what is too much.
#[derive(Debug)]
pub(crate) struct Bounds {
    left: u64,
    dropped: u64,
    line: usize,
}

impl Bounds {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { left: bytes, dropped: 0, line: 0 }
    }

    /// Appends to `out` what is within the bounds.
    pub(crate) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.left == 0 {
                self.dropped += piece.len() as u64;
                continue;
            }
            self.pass_piece(piece, out);
        }
    }

    /// Returns how many bytes were left out since the whole was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn pass_piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let ends = piece.ends_with(b"\n");
        let (text, end) = piece.split_at(piece.len() - usize::from(ends));
        let room = LINE_MAX.saturating_sub(self.line);
        let kept = &text[..text.len().min(room)];
        let from = out.len();
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
        self.left = self.left.saturating_sub((out.len() - from) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_once_and_the_next_one_is_whole() {
        let (mut bounds, mut out) = (Bounds::new(1 << 20), Vec::new());
        for _ in 0..5 {
            bounds.pass(&[b'x'; 10_000], &mut out);
        }
        bounds.pass(b"\nnext\n", &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("left out]").count(), 1);
        assert!(text.ends_with("left out]\nnext\n") && text.len() < LINE_MAX + 60, "{}", text.len());
    }

    #[test]
    fn what_comes_after_the_whole_is_full_is_counted() {
        let (mut bounds, mut out) = (Bounds::new(8), Vec::new());
        bounds.pass(b"0123456\n89", &mut out);
        bounds.pass(b"0123", &mut out);
        assert_eq!((out.as_slice(), bounds.dropped()), (b"0123456\n".as_slice(), 6));
    }
}
