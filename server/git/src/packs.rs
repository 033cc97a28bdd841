//! Takes what git has fetched as another user over into a repository of the server's own.
//!
//! That user may be hostile, and may still hold the directory open: so it is never opened as a repository. Its settings, its
//! references, its alternates count for nothing, and neither do its indexes, which could say that objects are made of each
//! other in a circle. What counts are the bytes of its packs. They are read once, through descriptors that no link has led
//! to, and libgit2 writes them down and names each object anew by what it holds.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};

use crate::export::directory_flags;
use crate::submodules::SubmoduleFault;
use crate::{SubmoduleLimits, reserve};

/// One is usual; a fetch of all that branches name, after one commit was asked for in vain, has two at most.
const MOST: usize = 8;

/// Makes the bare repository `into` with what the packs of the repository `from` hold. Blocks.
pub(crate) fn take(from: &Path, into: &Path, limits: &SubmoduleLimits) -> Result<(), SubmoduleFault> {
    let deadline = Instant::now() + limits.time;
    let repository = git2::Repository::init_bare(into).map_err(|error| odd(error.message()))?;
    let odb = repository.odb().map_err(|error| odd(error.message()))?;
    let mut left = limits.bytes;
    for pack in packs(from).map_err(odd)? {
        let size = fstat(&pack).map(|facts| facts.st_size.cast_unsigned()).map_err(odd)?;
        if size > left {
            return Err(SubmoduleFault::Large(limits.bytes));
        }
        reserve::check(&pack, size, limits.reserve_bytes)?;
        left -= size;
        write(&odb, pack.take(size), deadline).map_err(|error| match Instant::now() < deadline {
            true => odd(error),
            false => SubmoduleFault::Slow(limits.time.as_secs()),
        })?;
    }
    Ok(())
}

fn write(odb: &git2::Odb<'_>, mut pack: impl Read, deadline: Instant) -> io::Result<()> {
    let mut writer = odb.packwriter().map_err(io::Error::other)?;
    writer.progress(move |_| Instant::now() < deadline);
    let mut buffered = io::BufWriter::with_capacity(1 << 20, &mut writer);
    io::copy(&mut pack, &mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    writer.commit().map(drop).map_err(io::Error::other)
}

fn odd(error: impl std::fmt::Display) -> SubmoduleFault {
    SubmoduleFault::Fetch(format!("what was fetched cannot be read: {error}"))
}

/// Opens the packs of a repository: regular files in a directory, and no link on the way.
fn packs(repository: &Path) -> io::Result<Vec<File>> {
    let mut directory = openat(CWD, repository, directory_flags(), Mode::empty())?;
    for name in ["objects", "pack"] {
        directory = openat(&directory, name, directory_flags(), Mode::empty())?;
    }
    let mut found = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        if !entry.file_name().to_bytes().ends_with(b".pack") {
            continue;
        }
        found.extend(open(&directory, entry.file_name())?);
        if found.len() > MOST {
            return Err(io::Error::other(format!("there are more than {MOST} packs")));
        }
    }
    Ok(found)
}

fn open(directory: &OwnedFd, name: &CStr) -> io::Result<Option<File>> {
    // A pipe must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory.as_fd(), name, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => return Ok(None),
        opened => opened?,
    };
    let regular = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile;
    Ok(regular.then(|| File::from(file)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use git2::{Oid, Repository};
    use rustix::fs::{FileType, mknodat};

    use super::*;

    /// Makes a bare repository with one blob in one pack, and returns the blob and the pack.
    fn repository(path: &Path, content: &[u8]) -> (Oid, PathBuf) {
        let repository = Repository::init_bare(path).unwrap();
        let blob = repository.blob(content).unwrap();
        let mut builder = repository.packbuilder().unwrap();
        builder.insert_object(blob, None).unwrap();
        builder.write(&path.join("objects/pack"), 0).unwrap();
        let name = blob.to_string();
        fs::remove_file(path.join("objects").join(&name[..2]).join(&name[2..])).unwrap();
        let packs = fs::read_dir(path.join("objects/pack")).unwrap().flatten().map(|entry| entry.path());
        (blob, packs.into_iter().find(|path| path.extension().is_some_and(|end| end == "pack")).unwrap())
    }

    /// Takes a repository over and returns which of these objects are there then.
    fn taken(from: &Path, blobs: &[Oid]) -> Result<Vec<bool>, SubmoduleFault> {
        let into = from.with_extension("taken");
        take(from, &into, &SubmoduleLimits::default())?;
        let repository = Repository::open_bare(into).unwrap();
        Ok(blobs.iter().map(|&blob| repository.find_blob(blob).is_ok()).collect())
    }

    #[test]
    fn only_the_packs_of_a_strangers_repository_count() {
        let dir = tempfile::tempdir().unwrap();
        let [secret, from] = ["secret.git", "from.git"].map(|name| dir.path().join(name));
        let (hidden, pack) = repository(&secret, b"secret");
        let (blob, _) = repository(&from, b"public");
        fs::write(from.join("objects/info/alternates"), secret.join("objects").to_str().unwrap()).unwrap();
        symlink(&pack, from.join("objects/pack/pack-1.pack")).unwrap();
        symlink(pack.with_extension("idx"), from.join("objects/pack/pack-1.idx")).unwrap();
        mknodat(CWD, from.join("objects/pack/pipe.pack"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(taken(&from, &[blob, hidden]), Ok(vec![true, false]));
    }

    #[test]
    fn no_link_leads_to_another_directory_of_packs() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret.git");
        let (hidden, _) = repository(&secret, b"secret");
        for part in ["objects/pack", "objects"] {
            let from = dir.path().join(part.replace('/', "-"));
            repository(&from, b"public");
            fs::remove_dir_all(from.join(part)).unwrap();
            symlink(secret.join(part), from.join(part)).unwrap();
            let fault = taken(&from, &[hidden]).unwrap_err();
            assert!(fault.to_string().contains("what was fetched cannot be read"), "{fault}");
        }
    }

    #[test]
    fn settings_and_an_index_that_lie_and_a_pack_that_is_none_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let [other, from] = ["other.git", "from.git"].map(|name| dir.path().join(name));
        let (blob, pack) = repository(&from, b"public");
        let (absent, other) = repository(&other, b"another");
        fs::remove_file(pack.with_extension("idx")).unwrap();
        fs::copy(other.with_extension("idx"), pack.with_extension("idx")).unwrap();
        fs::write(from.join("config"), "[core]\n\trepositoryformatversion = 99\n").unwrap();
        assert_eq!(taken(&from, &[blob, absent]), Ok(vec![true, false]));
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, "PACK, but nothing else").unwrap();
        fs::remove_dir_all(from.with_extension("taken")).unwrap();
        assert!(matches!(taken(&from, &[blob]), Err(SubmoduleFault::Fetch(_))));
    }

    #[test]
    fn packs_keep_to_the_limits() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from.git");
        repository(&from, b"public");
        let faults = [
            SubmoduleLimits { bytes: 10, ..SubmoduleLimits::default() },
            SubmoduleLimits { reserve_bytes: u64::MAX, ..SubmoduleLimits::default() },
            SubmoduleLimits { time: std::time::Duration::ZERO, ..SubmoduleLimits::default() },
        ]
        .map(|limits| take(&from, &dir.path().join("into"), &limits).unwrap_err());
        assert!(matches!(faults[0], SubmoduleFault::Large(10)), "{faults:?}");
        assert!(matches!(faults[1], SubmoduleFault::Full(_)), "{faults:?}");
        assert!(matches!(faults[2], SubmoduleFault::Slow(0)), "{faults:?}");
        for number in 0..=MOST {
            fs::write(from.join(format!("objects/pack/{number}.pack")), "").unwrap();
        }
        let fault = taken(&from, &[]).unwrap_err();
        assert!(fault.to_string().contains("more than 8 packs"), "{fault}");
    }
}
