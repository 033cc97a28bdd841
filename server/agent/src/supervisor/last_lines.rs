//! Keeps the last lines that went through a pipe.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use model::wording;

/// Most lines that are kept.
const LINES: usize = 20;
/// Most characters of a line that are kept.
const LINE_LENGTH: usize = 500;
/// Bytes of output that are kept to find them.
const BYTES: usize = 32 * 1024;

/// The end of some output; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLines(Arc<Mutex<Vec<u8>>>);

impl LastLines {
    fn push(&self, chunk: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = &chunk[chunk.len().saturating_sub(BYTES)..];
        // Twice as much before it is cut, so that small writes do not move it all each time.
        if kept.len() + chunk.len() > 2 * BYTES {
            let surplus = kept.len().saturating_sub(BYTES);
            kept.drain(..surplus);
        }
        kept.extend_from_slice(chunk);
    }

    /// Returns the lines, oldest first, without what would steer a terminal.
    pub(crate) fn lines(&self) -> Vec<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let lines: Vec<_> = text.lines().map(|line| wording::plain(line, LINE_LENGTH)).collect();
        lines[lines.len().saturating_sub(LINES)..].to_vec()
    }
}

/// A pipe whose end is kept while it is read.
pub(crate) struct Tee {
    pipe: std::fs::File,
    lines: LastLines,
}

impl Tee {
    pub(crate) fn new(pipe: std::fs::File, lines: LastLines) -> Self {
        Self { pipe, lines }
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(buffer)?;
        self.lines.push(&buffer[..read]);
        Ok(read)
    }
}

impl AsFd for Tee {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_twenty_lines_are_kept_however_they_came() {
        let lines = LastLines::default();
        for n in 0..10_000 {
            lines.push(format!("line {n}").as_bytes());
            lines.push(b"\n");
        }
        let expected: Vec<_> = (9_980..10_000).map(|n| format!("line {n}")).collect();
        assert_eq!(lines.lines(), expected);
        assert!(lines.0.lock().unwrap().len() <= 2 * BYTES);
    }

    #[test]
    fn a_huge_write_is_cut() {
        let lines = LastLines::default();
        lines.push(&[b'x'; 1_000_000]);
        assert_eq!(lines.lines(), ["x".repeat(LINE_LENGTH)]);
    }
}
