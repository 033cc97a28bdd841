//! One app's repository: where it is, and what its references say. All of it blocks.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::occupancy::{self, Open, Stay, Work};
use crate::repositories::SCRATCH;
use crate::visits::{Visit, Visits};
use crate::{ObjectId, durable};

/// References that no client sees or moves: what keeps the source of builds.
pub(crate) const PRIVATE_REFS: &str = "refs/paas";
pub(crate) const BUILDS: &str = "refs/paas/builds/";

/// A bare repository on disk.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
    path: PathBuf,
    visits: Arc<Visits>,
}

impl Repository {
    pub(crate) fn new(root: &Path, app: &str, visits: Arc<Visits>) -> Self {
        Self { root: root.to_owned(), path: root.join(format!("{app}.git")), visits }
    }

    /// Registers a push that is about to begin.
    pub(crate) fn visit(&self) -> io::Result<Visit> {
        let scratch = self.root.join(format!("{SCRATCH}{}", self.token()?));
        Visit::begin(&self.visits, &self.path, scratch)
    }

    /// Keeps others from clearing away what is done in it meanwhile. Blocks for moments.
    pub(crate) fn enter(&self) -> io::Result<Stay> {
        occupancy::enter(&self.path, Work::ANY)
    }

    /// Returns a name that nothing else has.
    pub(crate) fn token(&self) -> io::Result<String> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(hex::encode(name))
    }

    /// Returns a directory that vanishes when dropped, and with the next start if it is not.
    pub(crate) fn scratch(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&self.root)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether it has been made.
    pub fn exists(&self) -> bool {
        self.path.join("HEAD").exists()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join(".home")
    }

    pub(crate) fn hooks_setting(&self) -> OsString {
        let mut setting = OsString::from("core.hooksPath=");
        setting.push(self.root.join(".hooks"));
        setting
    }

    pub(crate) fn open(&self) -> anyhow::Result<Open> {
        Ok(Open { _stay: self.enter()?, repository: self.open_bare()? })
    }

    pub(crate) fn open_bare(&self) -> anyhow::Result<git2::Repository> {
        git2::Repository::open_bare(&self.path)
            .with_context(|| format!("could not open the repository {}", self.path.display()))
    }

    /// Lets `HEAD` name a branch, which a clone then checks out. The branch need not exist.
    pub fn set_head(&self, branch: &str) -> anyhow::Result<()> {
        let name = branch_name(branch)?;
        self.open()?.set_head(&name).with_context(|| format!("could not let HEAD name {branch}"))?;
        Ok(durable::sync(&self.path.join("HEAD"))?)
    }

    /// Returns the commit that a branch names, or none where there is no such branch.
    pub fn branch_tip(&self, branch: &str) -> anyhow::Result<Option<ObjectId>> {
        self.target(&branch_name(branch)?)
    }

    /// Returns what a reference names, or none where there is no such reference.
    pub(crate) fn target(&self, name: &str) -> anyhow::Result<Option<ObjectId>> {
        match self.open()?.find_reference(name) {
            Ok(reference) => Ok(reference.target().map(ObjectId::from)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not read {name}")),
        }
    }
}

/// Returns the full name of a branch if it can be one.
pub(crate) fn branch_name(branch: &str) -> anyhow::Result<String> {
    let name = format!("refs/heads/{branch}");
    if !git2::Reference::is_valid_name(&name) {
        bail!("`{}` cannot be the name of a branch", crate::terminal::clean_line(branch.as_bytes(), 100));
    }
    Ok(name)
}

/// Returns the name of the reference that keeps a build's commit.
pub(crate) fn build_name(build: &str) -> anyhow::Result<String> {
    let name = format!("{BUILDS}{build}");
    if build.contains('/') || !git2::Reference::is_valid_name(&name) {
        bail!("a build id holds letters, digits and dashes, this is something else");
    }
    Ok(name)
}
