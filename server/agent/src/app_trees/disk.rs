//! The disk of a run: a file system of its own in a sparse file, so that what a replica writes has an end.
//!
//! A full one is the replica's own misfortune: it reads "no space left on device", and nobody else does. The file takes
//! from the host only what was written, and gives it back when it is deleted. Needs root and loop devices.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use rustix::fs::SeekFrom as Extent;
use rustix::io::Errno;
use sandbox::Privilege;

/// How much a replica may write, in bytes.
pub(super) const BYTES: u64 = 2 << 30;

/// How long a program may take, in seconds; they take milliseconds.
const WITHIN: &str = "30";

/// Where `mkfs.ext4` is looked for: it is seldom in the path of ordinary users.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The empty disk that those of runs are copied from: to copy it takes a hundredth of the time of making one.
pub(super) struct Blank {
    image: PathBuf,
    making: Mutex<()>,
}

impl Blank {
    /// Returns one that will be made in a directory when it is needed. That of an earlier agent goes: it may not have
    /// survived a power loss whole.
    pub(super) fn new(dir: &Path) -> Self {
        let blank = Self { image: dir.join("blank-disk.img"), making: Mutex::default() };
        for file in [&blank.image, &blank.unfinished()] {
            let _ = fs::remove_file(file);
        }
        blank
    }

    fn unfinished(&self) -> PathBuf {
        self.image.with_extension("unfinished")
    }

    /// Makes an empty disk below a replica's directory and returns where it is mounted. Blocks for some milliseconds.
    pub(super) fn disk(&self, replica: &Path) -> Result<PathBuf> {
        remove(replica)?;
        let (image, point) = (image(replica), point(replica));
        copy_with_holes(&self.open()?, &image)
            .with_context(|| format!("cannot copy {} to {}", self.image.display(), image.display()))?;
        fs::create_dir(&point).with_context(|| format!("cannot make {}", point.display()))?;
        let options = "loop,nosuid,nodev,noatime,discard,noinit_itable";
        run(Command::new("timeout")
            .args([WITHIN, "mount", "-t", "ext4", "-o", options])
            .args([&image, &point]))?;
        Ok(point)
    }

    fn open(&self) -> Result<File> {
        let _one_makes_it = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.image.exists() {
            self.make()?;
        }
        File::open(&self.image).with_context(|| format!("cannot read {}", self.image.display()))
    }

    /// Makes it; it gets its name when it is whole.
    fn make(&self) -> Result<()> {
        let unfinished = self.unfinished();
        let file =
            File::create(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
        file.set_len(BYTES).context("cannot make a sparse file")?;
        // No journal: nothing on it outlives the run, let alone a crash of the host.
        let features = ["-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode"];
        let lazily = ["-E", "lazy_itable_init=1,nodiscard"];
        run(Command::new("timeout")
            .args([WITHIN, "mkfs.ext4"])
            .args(features)
            .args(lazily)
            .arg(&unfinished))?;
        fs::rename(&unfinished, &self.image).with_context(|| format!("cannot make {}", self.image.display()))
    }
}

/// Copies a file, and leaves out what is only zeros because nothing was ever written there.
fn copy_with_holes(from: &File, to: &Path) -> io::Result<()> {
    let mut copy = File::create(to)?;
    copy.set_len(from.metadata()?.len())?;
    let mut end = 0;
    loop {
        let begin = match rustix::fs::seek(from, Extent::Data(end)) {
            Err(Errno::NXIO) => return Ok(()),
            begin => begin?,
        };
        end = rustix::fs::seek(from, Extent::Hole(begin))?;
        let mut source = from;
        source.seek(SeekFrom::Start(begin))?;
        copy.seek(SeekFrom::Start(begin))?;
        io::copy(&mut source.take(end - begin), &mut copy)?;
    }
}

/// Unmounts and removes the disk with everything on it. May be repeated.
pub(super) fn remove(replica: &Path) -> Result<()> {
    let (image, point) = (image(replica), point(replica));
    slug::unmount_below(&point)?;
    // A start that an agent was at when it ended may have written into the directory without its mount.
    [point, image]
        .iter()
        .try_for_each(|left| sandbox::remove_tree(left))
        .with_context(|| format!("cannot remove the disk in {}", replica.display()))
}

/// Returns why replicas get no disk of their own here, as far as can be seen without trying.
pub(super) fn why_not(privilege: Privilege) -> Option<&'static str> {
    if privilege == Privilege::User {
        return Some("only root may mount");
    }
    let found = PATH.split(':').any(|directory| Path::new(directory).join("mkfs.ext4").exists());
    if !found {
        return Some("`mkfs.ext4` is not installed; `apt-get install e2fsprogs` installs it");
    }
    (!Path::new("/dev/loop-control").exists()).then_some("there is no /dev/loop-control")
}

/// Says in a sentence what follows from there being no disk.
pub(super) fn unbounded(why: &str) -> String {
    format!("What a replica writes is bounded only by the disk of the host: {why}.")
}

fn image(replica: &Path) -> PathBuf {
    replica.join("disk.img")
}

fn point(replica: &Path) -> PathBuf {
    replica.join("disk")
}

fn run(command: &mut Command) -> Result<()> {
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().context("cannot run `timeout`")?;
    if !output.status.success() {
        let name = command.get_args().nth(1).unwrap_or_default().to_string_lossy().into_owned();
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        bail!("`{name}` failed: {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_disk_ends_takes_only_what_is_written_and_is_made_afresh() {
        if why_not(Privilege::detect()).is_some() {
            return;
        }
        let (dir, replica) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let blank = Blank::new(dir.path());
        let place = blank.disk(replica.path()).unwrap();
        let facts = rustix::fs::statvfs(&place).unwrap();
        assert!(facts.f_blocks * facts.f_frsize <= BYTES && facts.f_bavail * facts.f_frsize > BYTES * 9 / 10);
        let taken = fs::metadata(image(replica.path())).unwrap().blocks() * 512;
        assert!(taken < 8 << 20, "{taken}");
        File::create(place.join("file")).unwrap().write_all(b"content").unwrap();
        assert_eq!(blank.disk(replica.path()).unwrap(), place);
        assert!(!place.join("file").exists());
        for _ in 0..2 {
            remove(replica.path()).unwrap();
            assert_eq!(fs::read_dir(replica.path()).unwrap().count(), 0);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(Blank::new(dir.path()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_has_the_same_bytes_and_the_same_holes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut file = File::create(&from).unwrap();
        for place in [0, 3 << 20, 7 << 20] {
            file.seek(SeekFrom::Start(place)).unwrap();
            file.write_all(b"content").unwrap();
        }
        file.set_len(9 << 20).unwrap();
        copy_with_holes(&File::open(&from).unwrap(), &to).unwrap();
        assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
        assert!(fs::metadata(&to).unwrap().blocks() <= file.metadata().unwrap().blocks());
    }
}
