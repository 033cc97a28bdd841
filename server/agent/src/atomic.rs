//! Small files that are never seen half written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether a file must survive a loss of power once the call has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It does.
    Synced,
    /// It survives the end of every process, but perhaps not of the machine.
    Cached,
}

/// Writes a file whole or not at all, readable by its owner only.
pub(crate) fn replace(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Left over from a crash, perhaps with another mode.
    let _ = fs::remove_file(&beside);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    if durability == Durability::Synced {
        file.sync_all()?;
    }
    fs::rename(&beside, path)?;
    match (durability, path.parent()) {
        (Durability::Synced, Some(parent)) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// Reads a file that may be missing.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
