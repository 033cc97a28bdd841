//! Makes the objects of a push permanent before git does, so that a build outlives the connection it came through. Moves
//! no branch: a reference of the server's own keeps the commit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::hook::PushRequest;
use crate::repository::build_name;
use crate::{ObjectId, Repository, durable};

/// How git names the place where a push's objects wait (`tmp_objdir_create`); the second is older.
const QUARANTINES: [&str; 2] = ["tmp_objdir-incoming-", "incoming-"];
/// Parts of a pack in the order in which they may appear: readers look for the index, so it is last. The `.keep` stays
/// behind: it would outlive a receive-pack that dies, and the pack with it.
const PACK_PARTS: [&str; 4] = ["pack", "rev", "bitmap", "idx"];

impl Repository {
    /// Keeps a pushed commit for a build, durably, whatever becomes of the push; returns the commit, also when `pushed`
    /// is a tag of it. To be called before the push is answered; may be repeated. Blocks.
    pub fn adopt(&self, push: &PushRequest, pushed: ObjectId, build: &str) -> anyhow::Result<ObjectId> {
        let name = build_name(build)?;
        if let Some(quarantine) = push.quarantine.as_deref().filter(|path| path.exists()) {
            let quarantine = self.checked_quarantine(quarantine)?;
            link_all(&quarantine, &self.path().join("objects"))
                .context("could not keep the objects of the push; it may have broken off")?;
        }
        let repository = self.open()?;
        let object = repository.find_object(pushed.to_git(), None);
        let object = object.context("the push broke off before its objects were safe")?;
        let commit = object.peel_to_commit().context("what was pushed is not a commit")?;
        repository.reference(&name, commit.id(), true, "build")?;
        self.sync_reference(&name)?;
        Ok(commit.id().into())
    }

    fn checked_quarantine(&self, quarantine: &Path) -> anyhow::Result<PathBuf> {
        let real = quarantine.canonicalize().context("the objects of the push are gone")?;
        let objects = self.path().join("objects").canonicalize()?;
        let name = real.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if real.parent() != Some(&objects) || !is_quarantine(name) {
            bail!("the objects of the push are not where git puts them");
        }
        Ok(real)
    }

    /// Makes a loose reference and the directories above it durable.
    pub(crate) fn sync_reference(&self, name: &str) -> io::Result<()> {
        let mut path = self.path().join(name);
        while path.starts_with(self.path().join("refs")) {
            durable::sync(&path)?;
            path.pop();
        }
        Ok(())
    }
}

/// Returns whether git keeps objects that are not accepted yet in a directory of this name.
pub(crate) fn is_quarantine(name: &str) -> bool {
    QUARANTINES.iter().any(|known| name.starts_with(known))
}

/// Links, so that the git process that owns the quarantine still finds everything there.
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
