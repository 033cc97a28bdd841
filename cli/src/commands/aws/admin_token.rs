//! The first administrator's token of a control plane that nobody can log in to: made here, and only its hash goes there.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use model::slug::Digest;
use sha2::{Digest as _, Sha256};

use crate::credentials::config_path;
use crate::error::{self, Error};

/// What a token begins with, and how long it is.
const PREFIX: &str = "paas_";
const LENGTH: usize = PREFIX.len() + 64;

/// Returns where the token of a platform is kept.
pub(super) fn place(name: &str, account: &str, region: &str) -> error::Result<PathBuf> {
    let config = config_path().ok_or_else(|| Error::failed("neither HOME nor XDG_CONFIG_HOME is set"))?;
    Ok(config.with_file_name(format!("admin-token-{name}-{account}-{region}")))
}

/// Returns the SHA-256 of the token in the file; one is made if there is none. It is on disk before anybody hears of its hash, so
/// that a second run, whatever became of the first, says the same one.
///
/// # Errors
/// A sentence: it cannot be kept there.
pub(super) fn keep(path: &Path) -> Result<Digest, String> {
    let failed = |why: &dyn Display| format!("cannot keep a token in {}: {why}", path.display());
    if !path.exists() {
        make(path).map_err(|error| failed(&error))?;
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let token = text.trim();
    if !token.starts_with(PREFIX) || token.len() != LENGTH {
        return Err(failed(&"there is something else in it"));
    }
    hex::encode(Sha256::digest(token)).parse().map_err(|error| failed(&error))
}

/// Makes a token, readable by its owner only, and there as a whole or not at all.
fn make(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(file, "{PREFIX}{}", hex::encode(random))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        // Of two that begin at once the first one's counts.
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owners_eyes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("paasctl/admin-token-prod");
        let first = keep(&path).unwrap();
        let again = keep(&path).unwrap();
        assert_eq!(first, again);
        let token = fs::read_to_string(&path).unwrap();
        assert_eq!(hex::encode(Sha256::digest(token.trim())), first.as_str());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let other = keep(&dir.path().join("other")).unwrap();
        assert_ne!(other, first);
    }

    #[test]
    fn a_file_with_something_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin-token");
        fs::write(&path, "paas_short\n").unwrap();
        assert!(keep(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "paas_short\n");
    }
}
