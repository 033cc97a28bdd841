//! Names what lies on the host outside our directories, so that a server knows its own leftovers from those of another.

use std::{os::unix::ffi::OsStrExt, path::Path};

use sha2::{Digest as _, Sha256};

/// Returns a short name for what belongs to whoever uses this directory: cgroups, tables of packet filters.
///
/// The same for every path that leads to the directory, as long as it exists.
pub fn mark(directory: &Path) -> String {
    let absolute = directory.canonicalize().or_else(|_| std::path::absolute(directory));
    let path = absolute.as_deref().unwrap_or(directory);
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_mark_and_another_has_another() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        assert_eq!(mark(directory.path()), mark(&inside.join("..")));
        assert_ne!(mark(directory.path()), mark(&inside));
        assert_eq!(mark(&inside).len(), 10);
    }
}
