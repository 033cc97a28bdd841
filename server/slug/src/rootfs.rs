//! Decides which files of a container image become files of a slug: reads the archive of all of them, and writes the one
//! that is packed.
//!
//! All files belong to the app's user later, so of their modes only whether they can be executed is kept. Of times those of
//! files are kept, which programs compare with what they made of them; those of directories change with every container
//! that is made of the image.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    path::{Component, Path, PathBuf},
};

use tar::{Archive, Builder, Entry, EntryType, Header};

use crate::{
    SlugError,
    pack::TIME_SECONDS as TIME,
    tree::{largest, near_top},
};

/// Where a slug says what image it is of; part of it, so that another configuration is another slug.
pub const ABOUT: &str = ".paas/image.json";

/// What every container gets anew, or never has.
const LEFT_OUT: [&str; 9] =
    [".dockerenv", ".paas", "dev", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc", "sys"];

/// Most bytes of a file that is remembered.
const REMEMBERED_MAX: u64 = 1 << 20;

/// What may be in an archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// What an archive held.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// Devices, pipes and sockets outside of `/dev`.
    pub(crate) special: Vec<PathBuf>,
    sizes: BTreeMap<PathBuf, u64>,
}

impl Sifted {
    /// Returns the largest directories near the top, with their bytes.
    pub(crate) fn largest(&self) -> Vec<(PathBuf, u64)> {
        largest(&self.sizes)
    }
}

/// Writes an archive of what is kept of another one, with `about` in it.
pub(crate) fn sift(
    archive: impl Read,
    about: &[u8],
    bounds: Bounds,
    into: impl Write,
) -> Result<Sifted, SlugError> {
    let broken = |source| SlugError::file("read", "the files of the image")(source);
    let mut sifted = Sifted::default();
    let mut kept = Builder::new(into);
    let mut header = header(EntryType::Regular, 0o644, TIME);
    header.set_size(about.len() as u64);
    kept.append_data(&mut header, ABOUT, about).map_err(broken)?;
    for entry in Archive::new(archive).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let Some(path) = inside(&entry.path().map_err(broken)?)? else { continue };
        sifted.entries += 1;
        if sifted.entries > bounds.entries {
            return Err(SlugError::TooMany(bounds.entries));
        }
        if entry.header().entry_type().is_file() {
            sifted.bytes = sifted.bytes.saturating_add(entry.size());
            *sifted.sizes.entry(near_top(&path)).or_default() += entry.size();
        }
        if sifted.bytes > bounds.bytes {
            return Err(SlugError::TooLarge { bytes: None, limit: bounds.bytes, largest: sifted.largest() });
        }
        if !keep(&mut entry, &path, &mut kept).map_err(broken)? {
            sifted.special.push(path);
        }
    }
    kept.into_inner().and_then(|mut into| into.flush()).map_err(broken)?;
    Ok(sifted)
}

/// Returns the path of what is kept, from the root; refuses what leads out of it.
fn inside(path: &Path) -> Result<Option<PathBuf>, SlugError> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(SlugError::Refused(format!("`{}` leads out of the image", path.display())));
            }
        }
    }
    let left_out = LEFT_OUT.iter().any(|left_out| clean.starts_with(left_out));
    Ok(Some(clean).filter(|clean| !left_out && !clean.as_os_str().is_empty()))
}

/// Adds an entry; returns false for what no slug holds.
fn keep(
    entry: &mut Entry<'_, impl Read>,
    path: &Path,
    kept: &mut Builder<impl Write>,
) -> std::io::Result<bool> {
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let executable = entry.header().mode()? & 0o111 != 0;
            let mode = if executable { 0o755 } else { 0o644 };
            let mut header = header(EntryType::Regular, mode, entry.header().mtime()?);
            header.set_size(entry.size());
            kept.append_data(&mut header, path, entry)?;
        }
        EntryType::Directory => {
            header_only(kept, header(EntryType::Directory, 0o755, TIME), path)?;
        }
        kind @ (EntryType::Symlink | EntryType::Link) => {
            let Some(target) = entry.link_name()?.map(std::borrow::Cow::into_owned) else { return Ok(false) };
            // A second name of a file that is left out leads nowhere.
            let target = match kind {
                EntryType::Link => match inside(&target) {
                    Ok(Some(target)) => target,
                    _ => return Ok(true),
                },
                _ => target,
            };
            kept.append_link(&mut header(kind, 0o777, TIME), path, target)?;
        }
        // Said about the whole archive.
        EntryType::XGlobalHeader => {}
        _ => return Ok(false),
    }
    Ok(true)
}

fn header_only(kept: &mut Builder<impl Write>, mut header: Header, path: &Path) -> std::io::Result<()> {
    kept.append_data(&mut header, path, std::io::empty())
}

fn header(kind: EntryType, mode: u32, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

/// Looks for files in the archive of an image, and returns what the ones that are there hold; those that are too large or no
/// plain files are not.
///
/// # Errors
/// The archive cannot be read.
pub fn look_up(archive: impl Read, names: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, SlugError> {
    let broken = |source| SlugError::file("read", "the files of the image")(source);
    let mut found = BTreeMap::new();
    for entry in Archive::new(archive).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let Some(path) = inside(&entry.path().map_err(broken)?)? else { continue };
        let Some(name) = names.iter().find(|name| path == Path::new(name)) else { continue };
        let mut bytes = Vec::new();
        if entry.header().entry_type().is_file() && entry.size() <= REMEMBERED_MAX {
            entry.read_to_end(&mut bytes).map_err(broken)?;
        }
        found.insert((*name).to_owned(), bytes);
    }
    Ok(found)
}
