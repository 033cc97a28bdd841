//! The writable layer of a replica on top of its slug, and the end of mounts.

use std::{
    ffi::CString,
    fs,
    os::unix::{ffi::OsStrExt, fs::chown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags},
};
use sandbox::Identity;

use crate::{SlugError, mountinfo::mounted};

/// How long a busy mount is waited for before it is taken out of sight.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// The directories of a replica: what it wrote, the kernel's own, and both layers as one.
const PARTS: [&str; 3] = ["upper", "work", "app"];

/// Lays a fresh writable layer over `lower` and returns where both are seen as one.
///
/// What the replica writes lies in `replica/upper` and is its own. Does nothing when it is mounted
/// already; else what an earlier run wrote there is gone.
pub fn overlay(replica: &Path, lower: &Path, identity: Identity) -> Result<PathBuf, SlugError> {
    fs::create_dir_all(replica).map_err(SlugError::file("create", replica))?;
    let replica = replica.canonicalize().map_err(SlugError::file("find", replica))?;
    let [upper, work, app] = PARTS.map(|part| replica.join(part));
    if mounted(&app)?.iter().any(|mount| mount.kind == "overlay") {
        return Ok(app);
    }
    for part in [&upper, &work, &app] {
        remove(part)?;
        fs::create_dir(part).map_err(SlugError::file("create", part))?;
    }
    // Before mounting: the kernel looks at it once.
    chown(&upper, Some(identity.uid()), Some(identity.gid()))
        .map_err(SlugError::file("give away", &upper))?;
    let mut options = Vec::new();
    for (name, path) in [("lowerdir", lower), ("upperdir", &upper), ("workdir", &work)] {
        options.extend_from_slice(if options.is_empty() { b"" } else { b"," });
        options.extend_from_slice(name.as_bytes());
        options.push(b'=');
        options.extend(escaped(path));
    }
    let options = CString::new(options).expect("a path holds no NUL");
    let flags = MountFlags::NODEV | MountFlags::NOSUID;
    rustix::mount::mount("overlay", &app, "overlay", flags, options.as_c_str())
        .map_err(SlugError::file("mount an overlay at", &app))?;
    Ok(app)
}

/// Unmounts and removes the writable layer of a replica with everything in it. May be repeated.
pub fn remove_overlay(replica: &Path) -> Result<(), SlugError> {
    let Ok(replica) = replica.canonicalize() else { return Ok(()) };
    let [upper, work, app] = PARTS.map(|part| replica.join(part));
    unmount_below(&app)?;
    [app, work, upper].iter().try_for_each(|part| remove(part))
}

/// Unmounts everything at or below a directory. May be repeated; what a crash left goes by it.
pub fn unmount_below(directory: &Path) -> Result<(), SlugError> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    // Mounts may lie on top of each other.
    for mount in mounted(&directory)? {
        unmount(&mount.point)?;
    }
    Ok(())
}

/// Unmounts the topmost mount at `point`, if there is one.
pub(crate) fn unmount(point: &Path) -> Result<(), SlugError> {
    let deadline = Instant::now() + BUSY_FOR;
    loop {
        match rustix::mount::unmount(point, UnmountFlags::NOFOLLOW) {
            // Not a mount, or gone.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Err(Errno::BUSY) => break,
            Err(error) => return Err(SlugError::file("unmount", point)(error)),
        }
    }
    tracing::warn!("{} is busy; it goes when the last process has left it", point.display());
    rustix::mount::unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        .map_err(SlugError::file("unmount", point))
}

/// Never follows a link, and never goes into a mount: those are unmounted before.
fn remove(directory: &Path) -> Result<(), SlugError> {
    sandbox::remove_tree(directory).map_err(SlugError::file("remove", directory))
}

/// In the options of an overlay a comma ends an option and a colon a layer.
fn escaped(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes();
    bytes
        .iter()
        .flat_map(|byte| {
            let escape = b",:\\".contains(byte).then_some(b'\\');
            escape.into_iter().chain([*byte])
        })
        .collect()
}
