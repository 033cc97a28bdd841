//! Names the content of a file for caches: the SHA-256 of its bytes, computed once.
//!
//! Files in a slug have no modification time to go by.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// The name of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// Returns the `ETag` of the content as it is; an encoded one has the encoding's name at its end.
    pub(crate) fn header(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// Returns whether an `If-None-Match` names this content in any encoding (RFC 9110, 13.1.2).
    pub(crate) fn is_named_by(&self, if_none_match: &str) -> bool {
        if_none_match.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            let rest = tag.strip_prefix(self.0.as_str());
            tag == "*" || rest.is_some_and(|rest| matches!(rest, "" | "-gzip" | "-br"))
        })
    }
}

/// The tags computed so far.
#[derive(Debug, Default)]
pub(crate) struct Tags(Mutex<HashMap<PathBuf, (Stamp, Tag)>>);

/// Tells a file that was replaced, as happens on a developer's machine.
type Stamp = (u64, u64, i64, i64);

impl Tags {
    /// Returns the tag of a file; reads the file the first time.
    pub(crate) fn of(&self, path: &Path, metadata: &Metadata) -> io::Result<Tag> {
        let stamp = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        let known = |tags: &HashMap<PathBuf, (Stamp, Tag)>| {
            tags.get(path).filter(|(then, _)| *then == stamp).map(|(_, tag)| tag.clone())
        };
        if let Some(tag) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(tag);
        }
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path)?, &mut hash)?;
        // Half of it is far more than two contents of one site could share.
        let tag = Tag(hex::encode(&hash.finalize()[..16]));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), (stamp, tag.clone()));
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_each_encoding_and_in_a_list() {
        let tag = Tag("abc".to_owned());
        for named in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc-gzip\"", "\"abc-br\"", "*"] {
            assert!(tag.is_named_by(named), "{named}");
        }
        for other in ["", "\"ab\"", "\"abcd\"", "\"abc-zip\""] {
            assert!(!tag.is_named_by(other), "{other}");
        }
    }
}
