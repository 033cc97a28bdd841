//! A store that is a directory of this host: an image gets a second name in it, and no byte is copied.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::PoisonError,
    thread,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use model::slug::Digest;

use super::{SlugStore, StoredImage};
use crate::{SlugError, image::Intact};

impl SlugStore {
    /// Gives the image a second name in the store. Returns whether it is in the store now; otherwise the store is on
    /// another file system.
    pub(super) fn link(&self, digest: &Digest, image: &Path, target: &Path) -> Result<bool, SlugError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let linked = link(&self.intact, digest, image, target)?;
        if linked {
            // After it was found intact: the time is part of what that is remembered by.
            let put_at = Timestamp::now();
            set_put_at(target, put_at).map_err(SlugError::file("write", target))?;
            self.intact.touched(digest, target).map_err(SlugError::file("read", target))?;
            // Times are compared by the millisecond: the release that is made of it must be later.
            thread::sleep(rest_of_millisecond(put_at));
        }
        Ok(linked)
    }

    pub(super) fn unlink(&self, seen: &StoredImage, path: &Path) -> Result<bool, SlugError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::metadata(path).and_then(|facts| facts.modified()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Ok(modified) if milliseconds(modified) == seen.put_at => {}
            Ok(_) => return Ok(false),
            Err(error) => return Err(SlugError::file("find", path)(error)),
        }
        self.intact.forget(path);
        fs::remove_file(path).map_err(SlugError::file("remove", path))?;
        Ok(true)
    }
}

/// Gives the image a second name in the store. Returns whether it is in the store now; otherwise the
/// store is on another file system.
fn link(intact: &Intact, digest: &Digest, image: &Path, target: &Path) -> Result<bool, SlugError> {
    let file = File::open(image).map_err(SlugError::file("read", image))?;
    file.sync_all().map_err(SlugError::file("write", image))?;
    let folder = target.parent().expect("it is in the folder of slugs");
    if target.exists() {
        match intact.check(digest, target) {
            // An earlier put may have been cut off before this.
            Ok(()) => return sync(folder).map(|()| true),
            Err(SlugError::Altered { found, .. }) => {
                tracing::warn!(%digest, %found, "a damaged slug in the store is replaced");
                fs::remove_file(target).map_err(SlugError::file("replace", target))?;
            }
            Err(error) => return Err(error),
        }
    }
    match fs::hard_link(image, target) {
        Err(error) if matches!(error.kind(), io::ErrorKind::CrossesDevices) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(SlugError::file("write", target)(error));
        }
        _ => {}
    }
    sync(folder)?;
    let checked = intact.check(digest, target);
    if checked.is_err() {
        fs::remove_file(target).map_err(SlugError::file("remove", target))?;
    }
    checked.map(|()| true)
}

/// Brings the names in a folder to the disk.
pub(crate) fn sync(folder: &Path) -> Result<(), SlugError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(SlugError::file("write", folder))
}

fn set_put_at(path: &Path, at: Timestamp) -> io::Result<()> {
    let at = Timestamp::from_millisecond(at.as_millisecond()).map_err(io::Error::other)?;
    File::open(path)?.set_modified(at.into())
}

fn rest_of_millisecond(at: Timestamp) -> Duration {
    let passed = at.as_nanosecond().rem_euclid(1_000_000);
    Duration::from_millis(1).saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(0)))
}

fn milliseconds(time: SystemTime) -> Timestamp {
    let at = Timestamp::try_from(time).ok();
    at.and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok()).unwrap_or(Timestamp::MAX)
}
