//! Moves references on behalf of a push, by git's own transactions: the old value is compared under git's lock. Which may
//! move is decided elsewhere, and the branch that deploys has its own way.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;

use crate::process::Group;
use crate::push::{Fate, PushRequest};
use crate::{RefUpdate, Repository, command};

/// How long one transaction may take.
const TIME: Duration = Duration::from_secs(60);

impl Repository {
    /// Moves, makes and deletes references as a push asks for; returns what became of each. With `atomic`, all of them
    /// or none.
    pub async fn store(&self, updates: &[RefUpdate], atomic: bool) -> Vec<Fate> {
        if updates.is_empty() {
            return Vec::new();
        }
        match self.transact(&instructions(updates)).await {
            Ok(()) => vec![Ok(()); updates.len()],
            Err(why) if atomic => vec![Err(format!("{why:#}")); updates.len()],
            Err(_) => {
                let mut fates = Vec::new();
                for update in updates {
                    fates.push(self.store_one(update).await);
                }
                fates
            }
        }
    }

    async fn store_one(&self, update: &RefUpdate) -> Fate {
        let done = self.transact(&instructions(std::slice::from_ref(update))).await;
        let (repository, name) = (self.clone(), update.name.clone());
        let there = move || repository.target(&name);
        match done {
            // Another push may have asked for the same.
            Err(_) if matches!(tokio::task::spawn_blocking(there).await, Ok(Ok(at)) if at == update.new) => {
                Ok(())
            }
            done => done.map_err(|why| format!("{why:#}")),
        }
    }

    /// Lets go of what kept the objects of a push until it was decided.
    pub async fn forget_push(&self, push: &PushRequest) {
        let (repository, incoming) = (self.clone(), push.incoming.clone());
        let forgotten = tokio::task::spawn_blocking(move || repository.forget_below(&incoming)).await;
        if let Err(error) = forgotten.map_err(anyhow::Error::from).flatten() {
            tracing::warn!(error = format!("{error:#}"), "what kept a push stays until the next start");
        }
    }

    /// Deletes all references of a directory. Blocks.
    pub(crate) fn forget_below(&self, directory: &str) -> anyhow::Result<()> {
        self.forget_below_in(&*self.open()?, directory)
    }

    pub(crate) fn forget_below_in(
        &self,
        repository: &git2::Repository,
        directory: &str,
    ) -> anyhow::Result<()> {
        for reference in repository.references_glob(&format!("{}/*", directory.trim_end_matches('/')))? {
            reference?.delete()?;
        }
        remove_empty(&self.path().join(directory));
        Ok(())
    }

    /// Runs instructions of git-update-ref(1) as one transaction.
    async fn transact(&self, instructions: &str) -> anyhow::Result<()> {
        let _stay = self.enter()?;
        let mut command = command::git(&self.home());
        command.args(["-c", "safe.directory=*", "update-ref", "-z", "--stdin"]).current_dir(self.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut group = Group::spawn(&mut command).context("git cannot be started")?;
        let mut stdin = group.child.stdin.take().context("git takes no input")?;
        let (_, done) = tokio::join!(
            async {
                let _ = stdin.write_all(instructions.as_bytes()).await;
                drop(stdin);
            },
            tokio::time::timeout(TIME, group.finish())
        );
        match done {
            Ok(done) => done.map_err(anyhow::Error::msg),
            Err(_) => {
                group.terminate().await;
                bail!("git took too long")
            }
        }
    }
}

/// libgit2 leaves the directories of references that it deletes, and each push would leave one.
fn remove_empty(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.for_each(|entry| remove_empty(&entry.path()));
    // What is not empty, or not a directory, stays.
    let _ = fs::remove_dir(directory);
}

fn instructions(updates: &[RefUpdate]) -> String {
    let nothing = "0".repeat(40);
    let id = |id: Option<crate::ObjectId>| id.map_or_else(|| nothing.clone(), |id| id.to_string());
    let line =
        |update: &RefUpdate| format!("update {}\0{}\0{}\0", update.name, id(update.new), id(update.old));
    updates.iter().map(line).collect()
}
