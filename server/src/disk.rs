//! How much room there is, and whether it is enough to begin something.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::wording;

/// The room in a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Files that may still be made.
    pub free_inodes: u64,
}

/// What helps where there is too little room.
pub(crate) const HINT: &str = "free space on the server; `paasctl doctor` shows the disk";

/// Files that must be left before a build begins.
const RESERVE_INODES: u64 = 50_000;

impl Room {
    /// Returns the room where the path is.
    ///
    /// # Errors
    /// The path is not there.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        let stat = rustix::fs::statvfs(path)?;
        let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
        let total_bytes = stat.f_blocks.saturating_mul(stat.f_frsize);
        // A file system without a fixed number of inodes reports none at all.
        let free_inodes = if stat.f_files == 0 { u64::MAX } else { stat.f_favail };
        Ok(Self { free_bytes, total_bytes, free_inodes })
    }

    /// Returns why a build may not begin, with the numbers, or nothing when it may.
    #[must_use]
    pub fn refusal(self, reserve_bytes: u64) -> Option<String> {
        if self.free_bytes < reserve_bytes {
            let (free, need) = (wording::bytes(self.free_bytes), wording::bytes(reserve_bytes));
            return Some(format!("the server's disk has {free} free and keeps {need} in reserve"));
        }
        let few = self.free_inodes < RESERVE_INODES;
        few.then(|| {
            format!(
                "the server's disk has room for {} more files and keeps {RESERVE_INODES} in reserve",
                self.free_inodes
            )
        })
    }
}

/// Returns how many bytes a tree takes on the disk; a file of several names counts once. Follows no link. Blocks.
///
/// # Errors
/// A directory that cannot be read; what has gone meanwhile counts nothing.
pub fn used(root: &Path) -> io::Result<u64> {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    let mut left: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let facts = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            facts => facts?,
        };
        if facts.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        } else if facts.nlink() > 1 && !seen.insert((facts.dev(), facts.ino())) {
            continue;
        }
        bytes += facts.blocks() * 512;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_two_names_is_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let before = used(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join("below/one"), vec![1; 1 << 20]).unwrap();
        std::fs::hard_link(dir.path().join("below/one"), dir.path().join("two")).unwrap();
        std::os::unix::fs::symlink("/usr", dir.path().join("link")).unwrap();
        let added = used(dir.path()).unwrap() - before;
        assert!((1 << 20..3 << 19).contains(&added), "{added}");
        assert_eq!(used(&dir.path().join("nowhere")).unwrap(), 0);
    }

    #[test]
    fn a_refusal_names_the_numbers_and_counts_files_too() {
        let room = Room { free_bytes: 900_000_000, total_bytes: 10_000_000_000, free_inodes: u64::MAX };
        assert!(room.refusal(1_000_000_000).unwrap().contains("900.0 MB free and keeps 1.0 GB"));
        assert_eq!(room.refusal(500_000_000), None);
        assert!(Room { free_inodes: 7, ..room }.refusal(0).unwrap().contains("7 more files"));
        assert!(Room::at(Path::new("/")).unwrap().total_bytes > 0);
    }
}
