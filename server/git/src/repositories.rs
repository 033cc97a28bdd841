//! Where the repositories of all apps are: one bare repository per app, and beside them the hook that turns
//! away who comes past the server. Making and removing them may be repeated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use anyhow::{Context, bail};

use crate::occupancy::{self, Stay, Work};
use crate::visits::Visits;
use crate::{Repository, configuration, durable};

/// What git is told that comes past the server, which runs no hooks.
const PRE_RECEIVE: &str = "#!/bin/sh\necho 'This repository takes pushes only through its server.'\nexit 1\n";

/// Directories that only live as long as one task.
pub(crate) const SCRATCH: &str = ".scratch-";
const REMOVED: &str = ".removed-";

/// The directory of all repositories.
#[derive(Debug, Clone)]
pub struct Repositories {
    root: PathBuf,
    visits: Arc<Visits>,
    /// The apps whose repository was looked at.
    recovered: Arc<Mutex<BTreeSet<String>>>,
    /// Says to other servers that this one is there.
    _stay: Arc<Stay>,
}

impl Repositories {
    /// Prepares a directory for repositories: makes it, writes the hooks, removes what an earlier server left half
    /// done. To be done once per server: who pushes is counted here. Blocks.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let prepare = || -> io::Result<Self> {
            fs::create_dir_all(root.join(".home"))?;
            fs::create_dir_all(root.join(".hooks"))?;
            let root = root.canonicalize()?;
            // What other servers do is no leftover.
            if let Some(_alone) = occupancy::alone(&root, Work::ANY)? {
                remove_leftovers(&root)?;
            }
            let stay = Arc::new(occupancy::enter(&root, Work::ANY)?);
            durable::replace(&root.join(".hooks/pre-receive"), PRE_RECEIVE.as_bytes(), 0o755)?;
            Ok(Self { root, visits: Arc::default(), recovered: Arc::default(), _stay: stay })
        };
        prepare().with_context(|| format!("could not prepare {} for repositories", root.display()))
    }

    /// Makes an app's repository, in one step that others may take at the same time, or brings the settings of an
    /// existing one up to date. `HEAD` names `branch`, which need not exist. Blocks.
    pub fn create(&self, app: &str, branch: &str) -> anyhow::Result<Repository> {
        let repository = self.repository(app)?;
        let shown = repository.path().display();
        if repository.exists() {
            let prepared = self.prepare(repository.path());
            prepared.with_context(|| format!("could not set up the repository {shown}"))?;
            repository.set_head(branch)?;
        } else {
            let aside = repository.scratch()?;
            let made = aside.path().join("new.git");
            let prepared = self.prepare(&made).and_then(|new| new.set_head(&format!("refs/heads/{branch}")));
            prepared.with_context(|| format!("could not make the repository {shown}"))?;
            durable::sync(&made.join("HEAD"))?;
            match fs::rename(&made, repository.path()) {
                Err(_) if repository.exists() => (),
                done => done.with_context(|| format!("could not make the repository {shown}"))?,
            }
            durable::sync(&self.root)?;
        }
        Ok(repository)
    }

    /// Brings the settings of all repositories up to date after the directory got another name. Blocks.
    pub fn settle_in(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "git") {
                let prepared = self.prepare(&path);
                prepared.with_context(|| format!("could not set up the repository {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn prepare(&self, path: &Path) -> Result<git2::Repository, git2::Error> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).mkpath(true);
        let made = git2::Repository::init_opts(path, &options)?;
        configuration::apply(&made)?;
        made.config()?.set_str("core.hooksPath", &self.root.join(".hooks").to_string_lossy())?;
        Ok(made)
    }

    /// Looks again at each repository when it is used next: another server may have died in the middle of something.
    pub fn look_again(&self) {
        self.recovered.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns an app's repository, which need not exist yet. The first time, what killed processes have left in it is
    /// removed, which takes well under a millisecond: a start need not look at every repository there is.
    pub fn repository(&self, app: &str) -> anyhow::Result<Repository> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if app.is_empty() || app.len() > 100 || !app.bytes().all(plain) {
            bail!("an app id holds letters, digits and dashes, this is something else");
        }
        let repository = Repository::new(&self.root, app, self.visits.clone());
        // Held meanwhile: nobody gets the repository, and lets git work in it, before it was looked at.
        let mut recovered = self.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        if !recovered.contains(app) {
            let looked = if repository.exists() { repository.recover() } else { Ok(true) };
            let looked = looked
                .with_context(|| format!("could not look at the repository {}", repository.path().display()));
            // Where somebody is at work it is tried again the next time.
            if looked? {
                recovered.insert(app.to_owned());
            }
        }
        Ok(repository)
    }

    /// Removes an app's repository with all its history; succeeds where there is none. Blocks.
    pub fn remove(&self, app: &str) -> anyhow::Result<()> {
        let path = self.repository(app)?.path().to_owned();
        // Out of the way in one step: a crash leaves either all of it or what nobody finds.
        let doomed = self.root.join(format!("{REMOVED}{app}"));
        let remove = || -> io::Result<()> {
            absent_is_fine(fs::remove_dir_all(&doomed))?;
            absent_is_fine(fs::rename(&path, &doomed))?;
            absent_is_fine(fs::remove_dir_all(&doomed))
        };
        remove().with_context(|| format!("could not remove the repository {}", path.display()))
    }
}

fn remove_leftovers(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let left = |name: &str| name.starts_with(SCRATCH) || name.starts_with(REMOVED);
        if entry.file_name().to_str().is_some_and(left) {
            // What was fetched for a submodule is in there, in whatever shape.
            sandbox::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn making_and_removing_a_repository_may_be_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let repositories = Repositories::open(dir.path()).unwrap();
        for branch in ["main", "live"] {
            let made = repositories.create("app-1", branch).unwrap();
            assert!(made.exists());
            assert_eq!(
                fs::read_to_string(made.path().join("HEAD")).unwrap(),
                format!("ref: refs/heads/{branch}\n")
            );
        }
        let config = fs::read_to_string(dir.path().join("app-1.git/config")).unwrap();
        assert_eq!(config.matches("fsckObjects").count(), 1, "{config}");
        for _ in 0..2 {
            repositories.remove("app-1").unwrap();
            assert!(!repositories.repository("app-1").unwrap().exists());
        }
    }

    #[test]
    fn a_repository_that_many_make_at_once_is_whole_for_each_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let repositories = Repositories::open(dir.path()).unwrap();
        for app in ["a", "b", "c"] {
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let made = repositories.create(app, "main").unwrap();
                        let config = fs::read_to_string(made.path().join("config")).unwrap();
                        assert!(config.contains("fsckObjects") && config.contains("hooksPath"), "{config}");
                    });
                }
            });
        }
        let left = fs::read_dir(dir.path()).unwrap().flatten();
        assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(SCRATCH)));
    }

    #[test]
    fn an_app_id_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let repositories = Repositories::open(dir.path()).unwrap();
        for id in ["", "../x", "a/b", ".hooks", "a\0b"] {
            assert!(repositories.repository(id).is_err(), "{id:?}");
        }
    }
}
