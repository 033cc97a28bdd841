//! Unpacks a slug where it cannot be mounted.
//!
//! Lists first and refuses what no slug holds; then writes in a sandbox as the app's user, who sees
//! nothing but the image and the empty directory. So no path or link can lead anywhere else.

use std::{fs, io::BufReader, os::unix::fs::chown, path::Path, time::Duration};

use sandbox::{Bind, HostFacts, Identity, Privilege, Sandbox};

use crate::{
    SlugError,
    listing::{inspect, is_empty},
    program,
};

/// What an image may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// The size of all files, in bytes.
    pub bytes: u64,
    /// How many files, directories and links.
    pub entries: u64,
    /// How long it may take.
    pub within: Duration,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 500_001, within: Duration::from_secs(300) }
    }
}

/// Unpacks a verified image into `directory`, which is made or must be empty. Blocks.
///
/// The files belong to the identity, or to the platform's own user where that is not root. After a
/// failure nothing is left in the directory.
pub fn unpack(
    image: &Path,
    directory: &Path,
    host: &HostFacts,
    identity: Identity,
    limits: &UnpackLimits,
) -> Result<(), SlugError> {
    let image = image.canonicalize().map_err(SlugError::file("find", image))?;
    fs::create_dir_all(directory).map_err(SlugError::file("create", directory))?;
    if !is_empty(directory).map_err(SlugError::file("read", directory))? {
        return Err(SlugError::Refused(format!("{} is not empty", directory.display())));
    }
    let list = tool(&image, identity, ["-lln", "/image"]).command(host)?;
    let listing = program::run(list, "unsquashfs", limits.within)?.success("unsquashfs")?;
    inspect(BufReader::new(listing), limits)?;
    if host.privilege == Privilege::Root {
        chown(directory, Some(identity.uid()), Some(identity.gid()))
            .map_err(SlugError::file("give away", directory))?;
    }
    let mut write =
        tool(&image, identity, ["-no-progress", "-quiet", "-no-xattrs", "-f", "-d", "/app", "/image"]);
    write.binds.push(Bind::read_write(directory, "/app"));
    write.limits.file_bytes = Some(limits.bytes);
    let written = program::run(write.command(host)?, "unsquashfs", limits.within)
        .and_then(|finished| finished.success("unsquashfs"));
    if written.is_err() {
        empty(directory).map_err(SlugError::file("empty", directory))?;
    }
    written.map(drop)
}

fn tool<const N: usize>(image: &Path, identity: Identity, arguments: [&str; N]) -> Sandbox {
    let mut sandbox = Sandbox::new(identity, ["unsquashfs"].into_iter().chain(arguments));
    sandbox.binds = vec![Bind::read_only(image, "/image")];
    sandbox.network = false;
    sandbox
}

/// Removes what is in a directory, without following links.
fn empty(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        sandbox::remove_tree(&entry?.path())?;
    }
    Ok(())
}
