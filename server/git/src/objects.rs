//! Brings the objects of another repository of the server's into an app's, by links, durably.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable;

/// Parts of a pack in the order in which they may appear: readers look for the index, so it is last. The `.keep` stays
/// behind: it would outlive a receive-pack that dies, and the pack with it.
const PACK_PARTS: [&str; 4] = ["pack", "rev", "bitmap", "idx"];

/// Links all objects of one directory of objects into another.
pub(crate) fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let target = to.join(&name);
        match name.to_str() {
            Some("pack") => link_packs(&entry.path(), &target)?,
            Some(fan) if fan.len() == 2 && fan.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                link_loose(&entry.path(), &target)?;
            }
            _ => (),
        }
    }
    durable::sync(to)
}

fn link_packs(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut parts = Vec::new();
    for entry in fs::read_dir(from)? {
        let name = PathBuf::from(entry?.file_name());
        let extension = name.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let order = PACK_PARTS.iter().position(|part| *part == extension);
        let finished = name.to_str().is_some_and(|name| name.starts_with("pack-"));
        parts.extend(order.filter(|_| finished).map(|order| (order, name)));
    }
    parts.sort();
    for (_, name) in parts {
        link(&from.join(&name), &to.join(&name))?;
    }
    durable::sync(to)
}

fn link_loose(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| !name.starts_with("tmp_")) {
            link(&from.join(&name), &to.join(&name))?;
        }
    }
    durable::sync(to)
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    durable::sync(from)?;
    match fs::hard_link(from, to) {
        // Objects are named by their content.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}
