//! Carries a replica's output from its pipe into the stream, as fast as the disk takes it.
//!
//! The pipe is always drained: neither a full disk nor a slow log blocks the replica. What is not written is
//! counted by line and announced. Who writes more than is kept is drained no faster than [`PACE`] allows, so
//! that a flood does not take a processor of the others for lines that nobody will see.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::dropped::Cause;
use crate::rate::Guard;
use crate::record::Header;
use crate::split::Splitter;
use crate::{Origin, Rate, Writer};

/// Bytes taken from the pipe at once.
const CHUNK: usize = 64 * 1024;
/// Rest after a chunk that was dropped: at most 128 MB a second are looked at, a million usual lines.
const PACE: Duration = Duration::from_micros(500);
/// Quiet time after which an unended line is shown and dropped lines are announced.
const QUIET: Duration = Duration::from_millis(200);

/// Takes the raw output of one replica. One pump for each pipe; pumps may share a [`Writer`].
#[derive(Debug)]
pub struct LinePump {
    writer: Writer,
    origin: Origin,
    splitter: Splitter,
    guard: Guard,
    began: Instant,
}

impl LinePump {
    /// Returns a pump that writes as `origin` and drops what exceeds `rate`.
    pub fn new(writer: Writer, origin: Origin, rate: Rate) -> Self {
        LinePump {
            writer,
            origin,
            splitter: Splitter::default(),
            guard: Guard::new(rate),
            began: Instant::now(),
        }
    }

    /// Takes one chunk as it was read, at once after it was written; all its lines get the same time.
    pub fn push(&mut self, chunk: &[u8]) {
        self.push_late(chunk, self.began.elapsed());
    }

    /// Takes one chunk that may be read long after it was written, at `written` since any moment that stays the same: so much
    /// may come as fitted the rate when it was written.
    pub fn push_late(&mut self, chunk: &[u8], written: Duration) {
        let lines = memchr::memchr_iter(b'\n', chunk).count() as u64;
        let admitted = self.guard.admits(chunk.len() as u64, lines, written);
        let mut lanes = self.writer.lanes();
        let appender = lanes.of(&self.origin);
        if !admitted {
            let mut dropped = 0;
            self.splitter.push(chunk, |_| dropped += 1);
            return appender.drop_lines(Cause::TooFast, dropped);
        }
        appender.begin(&self.origin);
        let header = Header::of(&self.origin, appender.now());
        self.splitter.push(chunk, |line| appender.line(&header, line));
        appender.commit();
    }

    /// Writes what is held back: a line without its newline, and the count of dropped lines.
    ///
    /// Call it when the output pauses, and at its end.
    pub fn flush(&mut self) {
        let mut lanes = self.writer.lanes();
        let appender = lanes.of(&self.origin);
        appender.begin(&self.origin);
        let header = Header::of(&self.origin, appender.now());
        self.splitter.flush(|line| appender.line(&header, line));
        appender.commit();
    }

    /// Returns whether a flush would write something.
    pub fn holds_back(&self) -> bool {
        self.splitter.is_pending() || self.writer.lanes().of(&self.origin).has_dropped()
    }

    /// Returns whether output is dropped now, so that whoever pushes had better slow down.
    pub fn is_dropping(&self) -> bool {
        self.guard.is_closed()
    }

    /// Pumps until the pipe ends.
    ///
    /// # Errors
    /// Fails if the pipe cannot be read; what was read is written.
    pub fn drain(&mut self, mut pipe: impl Read + AsFd) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            if self.holds_back() && !is_readable(pipe.as_fd(), QUIET)? {
                self.flush();
                // The disk may be full still: come back after the next quiet time, not at once.
                if self.holds_back() {
                    is_readable(pipe.as_fd(), QUIET)?;
                }
                continue;
            }
            match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    self.push(&chunk[..read]);
                    if self.guard.is_closed() {
                        thread::sleep(PACE);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    is_readable(pipe.as_fd(), QUIET)?;
                }
                Err(error) => {
                    self.flush();
                    return Err(error);
                }
            }
        }
        self.flush();
        Ok(())
    }
}

fn is_readable(pipe: BorrowedFd<'_>, within: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(within).expect("the quiet time is short");
    match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
