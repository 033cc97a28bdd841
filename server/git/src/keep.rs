//! Keeps the source of builds: a reference of the server's own names the commit, whatever becomes of the push.

use std::io;

use anyhow::Context;

use crate::repository::{BUILDS, build_name};
use crate::{ObjectId, Repository, durable};

impl Repository {
    /// Keeps a pushed commit for a build, durably; returns the commit, also when `pushed` is a tag of it. May be
    /// repeated. Blocks.
    pub fn keep(&self, pushed: ObjectId, build: &str) -> anyhow::Result<ObjectId> {
        let name = build_name(build)?;
        let repository = self.open()?;
        let object = repository.find_object(pushed.to_git(), None).context("what was pushed is not here")?;
        let commit = object.peel_to_commit().context("what was pushed is not a commit")?;
        // git makes the files durable but not their names.
        for directory in ["objects/pack", "objects"] {
            durable::sync(&self.path().join(directory))?;
        }
        repository.reference(&name, commit.id(), true, "build")?;
        self.sync_reference(&name)?;
        Ok(commit.id().into())
    }

    /// Returns the commits that are kept for builds, with the builds' ids, the oldest build first. Blocks.
    pub fn kept_builds(&self) -> anyhow::Result<Vec<(String, ObjectId)>> {
        let repository = self.open()?;
        let mut kept = Vec::new();
        for reference in repository.references_glob(&format!("{BUILDS}*"))? {
            let reference = reference?;
            let build = reference.name().ok().and_then(|name| name.strip_prefix(BUILDS));
            if let (Some(build), Some(commit)) = (build, reference.target()) {
                kept.push((build.to_owned(), commit.into()));
            }
        }
        // Ids begin with their time.
        kept.sort();
        Ok(kept)
    }

    /// Stops keeping the commit of a build: the next maintenance may remove what no branch holds. Blocks.
    pub fn forget_build(&self, build: &str) -> anyhow::Result<()> {
        let repository = self.open()?;
        match repository.find_reference(&build_name(build)?) {
            Ok(mut reference) => Ok(reference.delete()?),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
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
