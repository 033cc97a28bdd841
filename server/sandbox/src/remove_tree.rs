//! Removes what a program in a sandbox has left in a directory, whatever shape that has.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Removes a directory with all that is in it, if it is there; what is no directory goes by itself. Nothing may run in it
/// any more. Blocks.
///
/// It follows no links, and how deep the tree is makes no difference: `std::fs::remove_dir_all` takes a piece of the stack
/// and a descriptor for each level, and ten thousand, which cost a program a tenth of a second, would end this process.
///
/// # Errors
/// What could not be removed, or was added meanwhile.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let top = match openat(CWD, path, FLAGS, Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return fs::remove_file(path),
        Err(error) => return Err(error.into()),
    };
    let mut lifted = 0;
    loop {
        let found = entries(&top)?;
        if found.is_empty() {
            return fs::remove_dir(path);
        }
        for (name, is_directory) in found {
            if is_directory {
                flatten(&top, &openat(&top, &name, FLAGS, Mode::empty())?, &mut lifted)?;
            }
            remove(&top, &name, is_directory)?;
        }
    }
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Empties a directory: what directories it has move up to the top, to be looked at later.
fn flatten(top: &OwnedFd, directory: &OwnedFd, lifted: &mut u64) -> io::Result<()> {
    for (name, is_directory) in entries(directory)? {
        if is_directory {
            lift(directory, &name, top, lifted)?;
        } else {
            remove(directory, &name, false)?;
        }
    }
    Ok(())
}

/// Moves a directory to the top, under the next number that is free there.
fn lift(from: &OwnedFd, name: &CString, top: &OwnedFd, lifted: &mut u64) -> io::Result<()> {
    let mut opened = false;
    loop {
        *lifted += 1;
        match renameat(from, name, top, lifted.to_string()) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            // Who is not root cannot move a directory that nobody may write to: it would name another parent.
            Err(Errno::ACCESS) if !opened => {
                chmodat(from, name, Mode::RWXU, AtFlags::empty())?;
                opened = true;
            }
            moved => return Ok(moved?),
        }
    }
}

fn remove(directory: &OwnedFd, name: &CString, is_directory: bool) -> io::Result<()> {
    let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    Ok(unlinkat(directory, name, flags)?)
}

/// Returns what a directory has, and which of it are directories.
fn entries(directory: impl AsFd) -> io::Result<Vec<(CString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory.as_fd())? {
        let entry = entry?;
        let name = entry.file_name().to_owned();
        if [c".", c".."].contains(&name.as_c_str()) {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system tells.
            FileType::Unknown => {
                FileType::from_raw_mode(statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            known => known,
        };
        found.push((name, kind == FileType::Directory));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::fs::mkdirat;

    use super::*;

    #[test]
    fn a_tree_goes_with_its_links_but_not_what_they_name() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, tree) = (dir.path().join("kept"), dir.path().join("tree"));
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("1/2")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "kept").unwrap();
        fs::write(tree.join("a/b/file"), "gone").unwrap();
        symlink(&kept, tree.join("a/link")).unwrap();
        symlink(kept.join("file"), tree.join("2")).unwrap();

        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        symlink(&kept, &tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(fs::symlink_metadata(&tree).is_err());
        assert_eq!(fs::read_to_string(kept.join("file")).unwrap(), "kept");
    }

    /// Root may write to each.
    #[test]
    fn a_directory_that_its_owner_may_not_write_to_goes() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::set_permissions(tree.join("a/b"), fs::Permissions::from_mode(0o555)).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn a_tree_deeper_than_any_stack_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut inner = openat(CWD, &tree, FLAGS, Mode::empty()).unwrap();
        for _ in 0..15_000 {
            mkdirat(&inner, "d", Mode::RWXU).unwrap();
            inner = openat(&inner, "d", FLAGS, Mode::empty()).unwrap();
        }
        drop(inner);
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
