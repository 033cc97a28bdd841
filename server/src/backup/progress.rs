//! Tells on standard error how far it is: a line per part, and one every few seconds while a part takes long.

use std::io::{self, Read, Write as _};
use std::time::{Duration, Instant};

use model::wording;

/// How often a part tells how far it is.
const OFTEN: Duration = Duration::from_secs(5);

/// Tells how far it is.
pub(crate) struct Progress {
    quiet: bool,
    told: Instant,
    bytes: u64,
    part: String,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, told: Instant::now(), bytes: 0, part: String::new() }
    }

    /// Begins a part.
    pub(super) fn part(&mut self, part: impl Into<String>) {
        (self.part, self.bytes) = (part.into(), 0);
        self.say(&self.part);
        self.told = Instant::now();
    }

    /// Says something that whoever watches should know.
    pub(super) fn warn(&self, text: &str) {
        // Also when it is to be quiet: what is wrong is no progress.
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    fn passed(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.told.elapsed() >= OFTEN {
            self.say(&format!("{}: {} so far", self.part, wording::bytes(self.bytes)));
            self.told = Instant::now();
        }
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            // Nobody needs to read it.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Returns a reader that counts what is read through it.
    pub(super) fn reading<R: Read>(&mut self, inner: R) -> Counted<'_, R> {
        Counted { progress: self, inner }
    }
}

/// A reader whose bytes count as progress.
pub(super) struct Counted<'a, R> {
    progress: &'a mut Progress,
    inner: R,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.passed(read);
        Ok(read)
    }
}
