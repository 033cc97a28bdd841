//! Touches trees that an untrusted build may have written: never through a link, never more than a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use sandbox::Identity;

/// How much a tree holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Opens a directory of ours.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Reads a file below a directory: a plain file of at most `most` bytes, reached without any link.
///
/// Returns nothing if it is not there or something else. Fails for a file that is larger.
pub(crate) fn read_below(root: &Path, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
    let root = open_directory(root)?;
    // A pipe would block without NONBLOCK.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match rustix::fs::openat2(&root, name, flags, Mode::empty(), resolve) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::ACCESS) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("`{name}` has more than {most} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Returns the names of the directories in a directory below `root`, sorted, at most `most`.
pub(crate) fn names_below(root: &Path, name: &str, most: usize) -> io::Result<Vec<String>> {
    let root = open_directory(root)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let Ok(directory) = rustix::fs::openat2(&root, name, flags, Mode::empty(), resolve) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in Dir::new(directory)?.flatten().filter(|entry| entry.file_type() == FileType::Directory) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && names.len() < most {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Gives a tree to a user, if there is one, and returns how much it holds. Links themselves change their owner,
/// not what they lead to.
pub(crate) fn give_away(path: &Path, to: Option<Identity>) -> io::Result<Amount> {
    let mut amount = Amount::default();
    let directory = open_directory(path)?;
    if let Some(to) = to {
        let (uid, gid) = (Uid::from_raw(to.uid()), Gid::from_raw(to.gid()));
        rustix::fs::fchown(&directory, Some(uid), Some(gid))?;
    }
    walk(directory, to, &mut amount)?;
    Ok(amount)
}

/// Returns how much disk a tree takes. What vanishes meanwhile counts as nothing.
pub(crate) fn measure(path: &Path) -> Amount {
    let mut amount = Amount::default();
    if let Ok(directory) = open_directory(path) {
        let _ = walk(directory, None, &mut amount);
    }
    amount
}

fn walk(directory: OwnedFd, to: Option<Identity>, amount: &mut Amount) -> io::Result<()> {
    let mut waiting = vec![directory];
    while let Some(directory) = waiting.pop() {
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(facts) = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if let Some(to) = to {
                let owner = (Some(Uid::from_raw(to.uid())), Some(Gid::from_raw(to.gid())));
                rustix::fs::chownat(directory.as_fd(), name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                waiting.extend(rustix::fs::openat(&directory, name, flags, Mode::empty()));
            } else {
                amount.files += 1;
                amount.bytes += u64::try_from(facts.st_size).unwrap_or(0);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_not_read_and_neither_is_what_lies_behind_one() {
        let dir = tempfile::tempdir().unwrap();
        let secret = tempfile::tempdir().unwrap();
        std::fs::write(secret.path().join("Procfile"), "web: leak").unwrap();
        symlink(secret.path().join("Procfile"), dir.path().join("Procfile")).unwrap();
        symlink(secret.path(), dir.path().join("pins")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), Mode::RUSR).unwrap();
        for name in ["Procfile", "pins/Procfile", "pipe", "missing", "../x"] {
            assert_eq!(read_below(dir.path(), name, 100).unwrap(), None, "{name}");
        }
        assert!(names_below(dir.path(), "pins", 9).unwrap().is_empty());
    }

    #[test]
    fn a_file_over_the_bound_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), [0; 11]).unwrap();
        assert!(read_below(dir.path(), "a", 10).unwrap_err().to_string().contains("`a` has more than 10"));
        assert_eq!(read_below(dir.path(), "a", 11).unwrap().unwrap().len(), 11);
    }

    #[test]
    fn a_measure_counts_links_as_themselves() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/c"), [0; 10]).unwrap();
        symlink("/usr", dir.path().join("usr")).unwrap();
        assert_eq!(measure(dir.path()), Amount { files: 2, bytes: 14 });
        assert_eq!(give_away(dir.path(), None).unwrap(), Amount { files: 2, bytes: 14 });
    }
}
