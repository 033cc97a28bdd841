//! Watches the disk while a build runs.
//!
//! Free space is read often, since that costs nothing; the build's trees are measured only when so much of the
//! disk was used since the start that this build may be the cause.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::request::BuildLimits;
use crate::tree::measure;

/// How often the disk is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How long to wait after measuring, as a multiple of what measuring took.
const REST: u32 = 20;

/// Never fewer free inodes than this.
const KEPT_INODES: u64 = 10_000;

/// The watch over one build's disk.
#[derive(Debug)]
pub(crate) struct Space {
    trees: Vec<PathBuf>,
    limit: u64,
    floor: u64,
    free_at_start: u64,
    next: Instant,
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The build takes more than it may, in bytes.
    OverLimit(u64),
    /// The disk is nearly full, whoever did it.
    Full {
        /// Bytes that are free.
        free: u64,
        /// Bytes below which builds stop.
        floor: u64,
    },
    /// The disk has hardly room for more files.
    Files {
        /// Files that could still be made.
        free: u64,
        /// Files below which builds stop.
        floor: u64,
    },
}

impl Space {
    /// Watches the disk of these trees. A build begins above the reserve, may take up to half of it, and leaves the
    /// other half to the database and the logs, which live there too.
    pub(crate) fn new(trees: Vec<PathBuf>, limits: BuildLimits) -> Self {
        let free_at_start = trees.first().and_then(|tree| free(tree)).map_or(u64::MAX, |free| free.0);
        let (limit, floor) = (limits.disk_bytes, limits.reserve_bytes / 2);
        Self { trees, limit, floor, free_at_start, next: Instant::now() }
    }

    /// Looks at the disk if it is time to.
    pub(crate) fn look(&mut self) -> Option<Shortage> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let (bytes, inodes) = self.trees.first().and_then(|tree| free(tree))?;
        if bytes < self.floor {
            return Some(Shortage::Full { free: bytes, floor: self.floor });
        }
        if inodes < KEPT_INODES {
            return Some(Shortage::Files { free: inodes, floor: KEPT_INODES });
        }
        if self.free_at_start.saturating_sub(bytes) < self.limit / 2 {
            return None;
        }
        let used: u64 = self.trees.iter().map(|tree| measure(tree).bytes).sum();
        self.next = now + EVERY.max(now.elapsed() * REST);
        (used > self.limit).then_some(Shortage::OverLimit(used))
    }
}

/// Returns free bytes and free inodes; file systems without a number of inodes have enough.
fn free(path: &std::path::Path) -> Option<(u64, u64)> {
    let facts = rustix::fs::statvfs(path).ok()?;
    let inodes = if facts.f_files == 0 { u64::MAX } else { facts.f_favail };
    Some((facts.f_bavail * facts.f_frsize, inodes))
}
