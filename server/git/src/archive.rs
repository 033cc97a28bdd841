//! Reads an uploaded tar.gz as a stream of what a commit can hold. It may be hostile: each entry is counted before it is
//! read, and nothing but a bounded name is ever held in memory.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::export::{DEEPEST, LONGEST_LINK, LONGEST_PATH};
use crate::import::ImportLimits;
use crate::path_names::{self, NameFault};
use crate::tar_extension::{Extension, LONGEST_EXTENSION};
use crate::terminal::clean_line;

/// Bytes of an entry's header.
const HEADER: u64 = 512;

/// Why an archive cannot become a commit. Paths are made safe to show.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Broken off, or something else.
    #[error("the source is not a whole tar.gz archive")]
    NotWhole,
    /// Over the bound.
    #[error("the source has more than {0} files and directories, the limit here")]
    TooMany(u64),
    /// Over the bound, in bytes.
    #[error("the source has more than {} MB, the limit here", .0 / 1_000_000)]
    TooLarge(u64),
    /// A record about an entry that no tool writes so large.
    #[error("the source holds a name or an attribute of more than {LONGEST_EXTENSION} bytes")]
    Extension,
    /// A path that would be somewhere else.
    #[error("the source holds `{0}`, which leads out of it")]
    Outside(String),
    /// A path or a nesting beyond the bounds.
    #[error("`{0}` lies too deep: at most {DEEPEST} directories and {LONGEST_PATH} bytes of path")]
    Deep(String),
    /// A name that may not become a file.
    #[error("the source holds `{path}`, which cannot be built: {fault}")]
    Name {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A device, a hard link and the like.
    #[error("the source holds `{0}`, which is neither file, symbolic link nor directory")]
    Kind(String),
    /// A link that no file system takes.
    #[error("the source holds `{0}`, a symbolic link to nothing, or to a name that is too long")]
    Link(String),
}

/// Something that a commit can hold.
pub(crate) struct Item<'a> {
    /// Its names with slashes between them; each was checked.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    File { executable: bool, size: u64, content: &'a mut dyn Read },
    Link(Vec<u8>),
}

/// Gives out each file and link in its order. Blocks.
pub(crate) fn read<E: From<ArchiveError>>(
    archive: impl Read,
    limits: &ImportLimits,
    mut give: impl FnMut(Item<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let not_whole = |_: io::Error| ArchiveError::NotWhole;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(archive));
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let mut extension = Extension::default();
    // Raw: by itself the library reads records of any size into memory.
    for entry in archive.entries().map_err(not_whole)?.raw(true) {
        let mut entry = entry.map_err(not_whole)?;
        count += 1;
        bytes = bytes.saturating_add(HEADER).saturating_add(entry.size());
        if count > limits.entries {
            return Err(ArchiveError::TooMany(limits.entries).into());
        }
        if bytes > limits.bytes {
            return Err(ArchiveError::TooLarge(limits.bytes).into());
        }
        if !extension.read(&mut entry)?
            && let Some(item) = item(&mut entry, &std::mem::take(&mut extension))?
        {
            give(item)?;
        }
    }
    Ok(())
}

/// Returns what a commit can hold of an entry; nothing of a directory, and of what git keeps for itself.
fn item<'a, R: Read>(
    entry: &'a mut tar::Entry<'_, R>,
    extension: &Extension,
) -> Result<Option<Item<'a>>, ArchiveError> {
    let header = entry.header().clone();
    let path = extension.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
    let shown = || clean_line(&path, 300);
    let Some(names) = names(&path)? else { return Ok(None) };
    let kind = match header.entry_type() {
        EntryType::Directory => return Ok(None),
        _ if extension.sparse => return Err(ArchiveError::Kind(shown())),
        EntryType::Symlink => {
            let target = extension.link.clone().or_else(|| header.link_name_bytes().map(Into::into));
            let target = target.unwrap_or_default();
            if target.is_empty() || target.len() > LONGEST_LINK || target.contains(&0) {
                return Err(ArchiveError::Link(shown()));
            }
            Kind::Link(target)
        }
        // Before there was a mark for directories, their names ended so.
        EntryType::Regular if path.ends_with(b"/") => return Ok(None),
        EntryType::Regular | EntryType::Continuous => {
            let size = entry.size();
            if extension.size.is_some_and(|other| other != size) {
                return Err(ArchiveError::NotWhole);
            }
            let executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
            Kind::File { executable, size, content: entry }
        }
        _ => return Err(ArchiveError::Kind(shown())),
    };
    Ok(Some(Item { path: names, kind }))
}

/// Returns the path without what means nothing in it; none for what git keeps for itself, which is left out.
fn names(path: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let shown = || clean_line(path, 300);
    let mut names = Vec::new();
    if path.starts_with(b"/") {
        return Err(ArchiveError::Outside(shown()));
    }
    for name in path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")) {
        if name == b".." {
            return Err(ArchiveError::Outside(shown()));
        }
        if name.eq_ignore_ascii_case(b".git") {
            return Ok(None);
        }
        path_names::check(name).map_err(|fault| ArchiveError::Name { path: shown(), fault })?;
        names.push(name);
    }
    let joined = names.join(&b'/');
    if names.len() > DEEPEST || joined.len() > LONGEST_PATH {
        return Err(ArchiveError::Deep(shown()));
    }
    Ok(Some(joined).filter(|joined| !joined.is_empty()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_stays_inside_and_gits_own_is_left_out() {
        assert_eq!(names(b"./a b//c\"d\n/").unwrap().as_deref(), Some(&b"a b/c\"d\n"[..]));
        for bad in ["../x", "/etc/passwd", "a/../../x", ".."] {
            assert!(matches!(names(bad.as_bytes()), Err(ArchiveError::Outside(_))), "{bad}");
        }
        for left_out in [".git/hooks/x", "a/.GIT/config", ".", "", "./"] {
            assert!(matches!(names(left_out.as_bytes()), Ok(None)), "{left_out}");
        }
        assert!(matches!(names(b"a/git~1/x"), Err(ArchiveError::Name { .. })), "a disguise is refused");
        assert!(matches!(names(&b"a/".repeat(101)), Err(ArchiveError::Deep(_))));
    }

    proptest! {
        #[test]
        fn whatever_passes_has_only_names_of_files(path in "[a./g\\\\~\n]{0,30}") {
            if let Ok(Some(passed)) = names(path.as_bytes()) {
                for name in passed.split(|byte| *byte == b'/') {
                    prop_assert_eq!(path_names::check(name), Ok(()));
                }
            }
        }
    }
}
