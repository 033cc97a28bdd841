//! Keeps directories that a buildpack made from one build of an app to the next, by moving them.
//!
//! A move costs nothing, whatever the size; the built tree is thrown away after packing anyway. The directory they
//! wait in is the platform's and not shown to the build, so no link of the app's making can lead a move elsewhere.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use sandbox::Identity;

use crate::tree::open_directory;

/// Stands for `/` in the names under which directories wait.
const SLASH: char = '%';

/// Moves the kept directories to their places in the source and returns their paths. What cannot be moved is
/// left out: it only saves time.
pub(crate) fn restore(kept: &Path, source: &Path, owner: Option<Identity>) -> io::Result<Vec<String>> {
    fs::create_dir_all(kept)?;
    let mut restored = Vec::new();
    for entry in fs::read_dir(kept)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let path = name.replace(SLASH, "/");
        match put_back(kept, &name, source, &path, owner) {
            Ok(()) => restored.push(path),
            Err(error) => tracing::info!(%error, path, "a directory of the last build is not used again"),
        }
    }
    Ok(restored)
}

fn put_back(kept: &Path, name: &str, source: &Path, path: &str, owner: Option<Identity>) -> io::Result<()> {
    let (parent, last) = path.rsplit_once('/').unwrap_or((".", path));
    let root = open_directory(source)?;
    if let Err(error) = rustix::fs::mkdirat(&root, parent, Mode::from_raw_mode(0o755))
        && error != Errno::EXIST
    {
        return Err(error.into());
    }
    let parent = open_below(&root, parent)?;
    if let Some(owner) = owner {
        rustix::fs::fchown(&parent, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?;
    }
    if rustix::fs::statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the source has something of that name"));
    }
    Ok(rustix::fs::renameat(open_directory(kept)?, name, parent, last)?)
}

/// Moves directories of the source to where they wait, in place of earlier ones. Nothing may run in the source.
pub(crate) fn keep(kept: &Path, source: &Path, paths: &[String]) -> io::Result<()> {
    for path in paths.iter().filter(|path| is_plain(path)) {
        let name = path.replace('/', &SLASH.to_string());
        sandbox::remove_tree(&kept.join(&name))?;
        if let Err(error) = take(kept, &name, source, path) {
            tracing::info!(%error, path, "a directory is not kept for the next build");
        }
    }
    Ok(())
}

fn take(kept: &Path, name: &str, source: &Path, path: &str) -> io::Result<()> {
    let (parent, last) = path.rsplit_once('/').unwrap_or((".", path));
    let parent = open_below(&open_directory(source)?, parent)?;
    let facts = rustix::fs::statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::Directory {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    Ok(rustix::fs::renameat(parent, last, open_directory(kept)?, name)?)
}

fn open_below(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// Tells whether a path has at most two parts, none of them odd.
fn is_plain(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    let fine = |part: &&str| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !part.is_empty() && *part != "." && *part != ".." && part.len() < 64 && part.bytes().all(word)
    };
    parts.len() <= 2 && parts.iter().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_waits_and_comes_back_to_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, first, second) = (dir.path().join("kept"), dir.path().join("1"), dir.path().join("2"));
        fs::create_dir_all(first.join(".paas/python/lib")).unwrap();
        fs::create_dir_all(&second).unwrap();
        assert!(restore(&kept, &first, None).unwrap().is_empty());
        keep(&kept, &first, &[".paas/python".to_owned()]).unwrap();
        assert!(!first.join(".paas/python").exists());
        assert_eq!(restore(&kept, &second, None).unwrap(), [".paas/python"]);
        assert!(second.join(".paas/python/lib").is_dir());
    }

    #[test]
    fn no_path_and_no_link_leads_out_of_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, source, outside) =
            (dir.path().join("kept"), dir.path().join("s"), dir.path().join("outside"));
        fs::create_dir_all(outside.join("x")).unwrap();
        fs::create_dir_all(&source).unwrap();
        restore(&kept, &source, None).unwrap();
        symlink(&outside, source.join("link")).unwrap();
        let paths = ["link/x", "link", "../outside", "/etc", "a/b/c", ""].map(str::to_owned);
        keep(&kept, &source, &paths).unwrap();
        assert!(outside.join("x").exists() && fs::read_dir(&kept).unwrap().next().is_none());

        fs::create_dir_all(kept.join("link%x2")).unwrap();
        assert!(restore(&kept, &source, None).unwrap().is_empty());
        assert!(!outside.join("x2").exists());
    }
}
