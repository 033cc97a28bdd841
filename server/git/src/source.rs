//! The whole source of a build: what the commit holds, and in their directories the submodules at the commits it names.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use rustix::fs::Mode;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use crate::export::{directory_flags, export, write_error};
use crate::process::Group;
use crate::submodules::{SubmoduleFault, check_url, parse_addresses, redact};
use crate::{
    ExportError, ExportLimits, Exported, Fetcher, ObjectId, Repository, Submodule, SubmoduleError,
    SubmoduleLimits, command, packs, submodule_fetch,
};

/// Bytes of a `.gitmodules` that are read.
const LONGEST_LISTING: u64 = 1 << 20;

/// Why a source is not complete.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The commit itself.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// One of its submodules.
    #[error(transparent)]
    Submodule(#[from] SubmoduleError),
    /// The server's own trouble.
    #[error("the source could not be prepared")]
    Internal(#[from] anyhow::Error),
}

impl SourceError {
    /// Returns whether the disk has too little room.
    #[must_use]
    pub fn is_for_room(&self) -> bool {
        match self {
            Self::Export(error) => matches!(error, ExportError::Full(_)),
            Self::Submodule(error) => matches!(error.fault(), SubmoduleFault::Full(_)),
            Self::Internal(_) => false,
        }
    }
}

impl Fetcher {
    /// Writes a commit and its submodules into `into` (see `Repository::export`); `say` hears a line per submodule.
    pub async fn source(
        &self,
        repository: &Repository,
        commit: ObjectId,
        into: &Path,
        (files, submodules): (&ExportLimits, &SubmoduleLimits),
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Exported, SourceError> {
        let (exporting, place, limits) = (repository.clone(), into.to_owned(), files.clone());
        let exported = blocking(move || exporting.export(commit, &place, &limits)).await??;
        if exported.submodules.is_empty() {
            return Ok(exported);
        }
        let scratch = Arc::new(repository.scratch().context("no room for fetching submodules")?);
        let mut task = Task { fetcher: self, repository, into, files, limits: submodules, scratch, exported };
        let mut wanted = task.located(repository.path(), commit, Path::new(""), 0).await?;
        let (mut depth, mut fetched) = (1, Vec::new());
        while !wanted.is_empty() {
            let mut next = Vec::new();
            for submodule in wanted {
                if depth > submodules.depth || fetched.len() >= submodules.count {
                    return Err(SubmoduleError::new(&submodule, SubmoduleFault::TooMany).into());
                }
                say(&format!("Fetching the submodule {}", described(&submodule)));
                next.extend(task.fetch(&submodule, fetched.len()).await?);
                fetched.push(submodule);
            }
            (wanted, depth) = (next, depth + 1);
        }
        task.exported.submodules = fetched.into_iter().map(shown).collect();
        Ok(task.exported)
    }
}

fn described(submodule: &Submodule) -> String {
    let path = crate::terminal::clean_line(submodule.path.as_os_str().as_encoded_bytes(), 300);
    format!(
        "{path} at {} from {}",
        submodule.commit.short(),
        submodule.url.as_deref().map(redact).unwrap_or_default()
    )
}

/// Once fetched, nobody needs the password in an address any more.
fn shown(mut submodule: Submodule) -> Submodule {
    submodule.url = submodule.url.as_deref().map(redact);
    submodule
}

struct Task<'a> {
    fetcher: &'a Fetcher,
    repository: &'a Repository,
    into: &'a Path,
    files: &'a ExportLimits,
    limits: &'a SubmoduleLimits,
    scratch: Arc<TempDir>,
    exported: Exported,
}

impl Task<'_> {
    /// Fetches one submodule, writes it into its directory, and returns its own submodules.
    async fn fetch(&mut self, submodule: &Submodule, number: usize) -> Result<Vec<Submodule>, SourceError> {
        let fail = |fault| SubmoduleError::new(submodule, fault);
        let url = submodule.url.as_deref().ok_or_else(|| fail(SubmoduleFault::Unknown))?;
        check_url(url).map_err(fail)?;
        let (place, name) = (self.scratch.path().join(format!("{number}.git")), format!("{number}.fetched"));
        let from = (url, submodule.commit);
        let fetched = submodule_fetch::fetch(self.fetcher, from, (&self.scratch, &name), self.limits);
        let (fetched, into, limits) = (fetched.await.map_err(fail)?, place.clone(), self.limits.clone());
        let taken = blocking(move || packs::take(fetched.path(), &into, &limits));
        taken.await?.map_err(fail)?;
        let before = self.exported.submodules.len();
        self.write(submodule, &place).await?;
        Ok(self.located(&place, submodule.commit, &submodule.path, before).await?)
    }

    async fn write(&mut self, submodule: &Submodule, place: &Path) -> Result<(), SourceError> {
        let (commit, path, place) = (submodule.commit, submodule.path.clone(), place.to_owned());
        let (into, files, mut exported) = (self.into.to_owned(), self.files.clone(), self.exported.clone());
        let written = blocking(move || -> Result<Result<Exported, ExportError>, anyhow::Error> {
            let repository = git2::Repository::open_bare(&place)?;
            let directory = match open_below(&into, &path) {
                Ok(directory) => directory,
                Err(error) => return Ok(Err(write_error(path.as_os_str().as_encoded_bytes(), error))),
            };
            Ok(export(&repository, commit, directory.as_fd(), (&files, &mut exported)).map(|()| exported))
        });
        self.exported = written.await???;
        Ok(())
    }

    /// Returns the submodules from number `from` on with their addresses, and their paths from the top.
    async fn located(
        &self,
        git: &Path,
        commit: ObjectId,
        below: &Path,
        from: usize,
    ) -> anyhow::Result<Vec<Submodule>> {
        let found = &self.exported.submodules[from..];
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let addresses = parse_addresses(&listing(&self.repository.home(), git, commit).await?);
        let locate = |submodule: &Submodule| Submodule {
            url: addresses.get(&submodule.path).cloned(),
            path: below.join(&submodule.path),
            ..submodule.clone()
        };
        Ok(found.iter().map(locate).collect())
    }
}

/// git's own parser reads `.gitmodules`, from the commit and without following its includes; none is an empty one.
async fn listing(home: &Path, git: &Path, commit: ObjectId) -> anyhow::Result<Vec<u8>> {
    let mut command = command::git(home);
    command.args(["-c", "safe.directory=*", "config", "--no-includes", "-z", "--list", "--blob"]);
    command.arg(format!("{commit}:.gitmodules")).current_dir(git);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::spawn(&mut command)?;
    let stdout = group.child.stdout.take().context("no output")?;
    let mut listing = Vec::new();
    stdout.take(LONGEST_LISTING).read_to_end(&mut listing).await?;
    group.wait().await?;
    Ok(listing)
}

/// Opens a directory that an export made, one name after the other, so that no link can lead elsewhere.
fn open_below(root: &Path, path: &Path) -> std::io::Result<OwnedFd> {
    let mut directory = OwnedFd::from(File::open(root)?);
    for name in path {
        let name: &OsStr = name;
        directory = rustix::fs::openat(&directory, name, directory_flags(), Mode::empty())?;
    }
    Ok(directory)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the work was cut short")
}
