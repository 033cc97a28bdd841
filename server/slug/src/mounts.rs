//! The images mounted on this host: each once, and for each app's user a clone that is his.
//!
//! What is mounted is read from the kernel each time, so a restart finds its mounts again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use model::slug::Digest;
use sandbox::Identity;

use crate::{
    SlugError, idmap,
    mountinfo::mounted,
    overlay::{unmount, unmount_below},
    program,
};

/// How long a mount may take.
const MOUNT_WITHIN: Duration = Duration::from_secs(30);

/// The mounted images below one directory: `DIGEST/image`, and `DIGEST/UID` for each user.
#[derive(Debug)]
pub struct Mounts {
    root: PathBuf,
    one_at_a_time: Mutex<()>,
}

impl Mounts {
    /// Returns the mounts below `root`, which is made.
    pub fn new(root: &Path) -> Result<Self, SlugError> {
        fs::create_dir_all(root).map_err(SlugError::file("create", root))?;
        // The kernel tells mounts by their real paths.
        let root = root.canonicalize().map_err(SlugError::file("find", root))?;
        Ok(Self { root, one_at_a_time: Mutex::default() })
    }

    /// Mounts a verified image, and returns where its files belong to the identity. Blocks for some
    /// milliseconds; does nothing when it is mounted.
    pub fn mount(&self, digest: &Digest, image: &Path, identity: Identity) -> Result<PathBuf, SlugError> {
        let _one = self.one_at_a_time.lock().expect("nothing panics while holding it");
        let directory = self.root.join(digest.as_str());
        let (whole, own) = (directory.join("image"), directory.join(identity.uid().to_string()));
        let present = mounted(&directory)?;
        let is_mounted = |point: &Path| present.iter().any(|mount| mount.point == point);
        if is_mounted(&own) {
            return Ok(own);
        }
        for directory in [&whole, &own] {
            fs::create_dir_all(directory).map_err(SlugError::file("create", directory))?;
        }
        if !is_mounted(&whole) {
            mount_image(image, &whole)?;
        }
        idmap::clone_for(&whole, &own, identity)?;
        Ok(own)
    }

    /// Unmounts an image and its clones. Replicas that run on it keep it until they end.
    pub fn unmount(&self, digest: &Digest) -> Result<(), SlugError> {
        let _one = self.one_at_a_time.lock().expect("nothing panics while holding it");
        let directory = self.root.join(digest.as_str());
        unmount_below(&directory)?;
        if let Ok(points) = fs::read_dir(&directory) {
            for point in points.flatten() {
                // Only an empty directory goes: a mount that came back stays whole.
                let _ = fs::remove_dir(point.path());
            }
            fs::remove_dir(&directory).map_err(SlugError::file("remove", &directory))?;
        }
        Ok(())
    }

    /// Returns the digests of the mounted images, and of those a crash left half mounted.
    pub fn all(&self) -> Result<Vec<Digest>, SlugError> {
        let names = fs::read_dir(&self.root).map_err(SlugError::file("read", &self.root))?;
        let digest = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Ok(names.flatten().filter_map(digest).collect())
    }
}

fn mount_image(image: &Path, point: &Path) -> Result<(), SlugError> {
    let mut command = Command::new("mount");
    command.args(["-t", "squashfs", "-o", "loop,ro,nodev,nosuid"]).arg(image).arg(point);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    let mounted = program::run(command, "mount", MOUNT_WITHIN)?.success("mount");
    if mounted.is_err() {
        // Else a mount that came too late would be found later and taken for whole.
        unmount(point)?;
    }
    mounted.map(drop)
}
