//! Files that are still there after the power went: written beside, synchronised, renamed, and the directory too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Makes the content of a file or the entries of a directory durable.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a file in one step, unless it already is so.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let same_mode = |meta: fs::Metadata| meta.permissions().mode() & 0o7777 == mode;
    if fs::metadata(path).is_ok_and(same_mode) && fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), sync)
}
