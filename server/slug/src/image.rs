//! Knows an image by the digest of its content, and remembers which files were found intact.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use model::slug::Digest;
use sha2::{Digest as _, Sha256};

use crate::SlugError;

/// Returns the SHA-256 of a file. Blocks for about a second per gigabyte.
pub fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(finish(hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Returns the digest of what was hashed.
pub(crate) fn finish(hash: Sha256) -> Digest {
    hex::encode(hash.finalize()).parse().expect("a SHA-256 in hexadecimal is a digest")
}

/// What changes when a file is replaced or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// The files this process has found intact, so that each is read once.
#[derive(Debug, Default)]
pub(crate) struct Intact(Mutex<HashMap<PathBuf, (Digest, Fingerprint)>>);

impl Intact {
    /// Fails unless the file is the image of that digest. Blocks when it was not read before or has
    /// changed since.
    pub(crate) fn check(&self, digest: &Digest, path: &Path) -> Result<(), SlugError> {
        let before = fingerprint(path).map_err(SlugError::file("read", path))?;
        let known = self.0.lock().expect("nothing panics while holding it").get(path).cloned();
        if known.is_some_and(|(known, then)| known == *digest && then == before) {
            return Ok(());
        }
        let found = digest_of(path).map_err(SlugError::file("read", path))?;
        if found != *digest {
            return Err(SlugError::Altered { wanted: digest.clone(), found });
        }
        let mut known = self.0.lock().expect("nothing panics while holding it");
        known.insert(path.to_owned(), (found, before));
        Ok(())
    }

    /// Takes note that the time of a file was set which was just found intact.
    pub(crate) fn touched(&self, digest: &Digest, path: &Path) -> io::Result<()> {
        let fingerprint = fingerprint(path)?;
        let mut known = self.0.lock().expect("nothing panics while holding it");
        known.insert(path.to_owned(), (digest.clone(), fingerprint));
        Ok(())
    }

    /// Forgets a file that is deleted.
    pub(crate) fn forget(&self, path: &Path) {
        self.0.lock().expect("nothing panics while holding it").remove(path);
    }
}

fn fingerprint(path: &Path) -> io::Result<Fingerprint> {
    let facts = std::fs::metadata(path)?;
    Ok(Fingerprint {
        device: facts.dev(),
        inode: facts.ino(),
        size: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
    })
}
