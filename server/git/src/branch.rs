//! Moves the branch that deploys, and says when it may not: it goes forward only, unless the push was forced.

use std::time::{Duration, Instant};

use crate::between::between;
use crate::repository::{branch_name, build_name};
use crate::{ObjectId, Repository, shallow};

/// How long another process may hold the lock of a branch; git holds it for moments.
const LOCKED: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);

/// What became of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It names the commit now.
    Moved,
    /// It named the commit already.
    Already,
    /// It stays where it is: it is at this commit, which the push does not contain.
    Refused(ObjectId),
}

impl Repository {
    /// Tells whether one commit is, or is among the ancestors of, the other, as far as the history is known. Blocks.
    pub fn contains(&self, commit: ObjectId, ancestor: ObjectId) -> anyhow::Result<bool> {
        contains(&*self.open()?, commit, ancestor)
    }

    /// Tells what `advance` would do now. Blocks.
    pub fn foresee(&self, branch: &str, commit: ObjectId, forced: bool) -> anyhow::Result<Moved> {
        let repository = self.open()?;
        Ok(match self.branch_tip(branch)? {
            Some(tip) if tip == commit => Moved::Already,
            Some(tip) if !forced && !contains(&repository, commit, tip)? => Moved::Refused(tip),
            _ => Moved::Moved,
        })
    }

    /// Lets a branch name the commit that is kept for a build, as [`Repository::advance`] does, unless it is kept no more:
    /// then another server has seen to that build, and what came after it must not be undone. Returns nothing in that case. Whoever
    /// slept before that finds it out; nobody else can see to the build while somebody sleeps in the middle. Blocks.
    pub fn advance_build(
        &self,
        build: &str,
        branch: &str,
        commit: ObjectId,
        forced: bool,
    ) -> anyhow::Result<Option<Moved>> {
        self.move_branch(Some(&build_name(build)?), branch, commit, forced)
    }

    /// Lets a branch name a commit that is kept, durably: if that is forward from where it is, or `forced`. The look and
    /// the move are one step. May be repeated. Blocks.
    pub fn advance(&self, branch: &str, commit: ObjectId, forced: bool) -> anyhow::Result<Moved> {
        let moved = self.move_branch(None, branch, commit, forced)?;
        Ok(moved.expect("only what is done for a build may have been done by another"))
    }

    fn move_branch(
        &self,
        kept: Option<&str>,
        branch: &str,
        commit: ObjectId,
        forced: bool,
    ) -> anyhow::Result<Option<Moved>> {
        let name = branch_name(branch)?;
        // A branch whose history has holes that are not written down would break the next clone.
        shallow::record(&*self.open()?, &[commit])?;
        let until = Instant::now() + LOCKED;
        loop {
            let repository = self.open()?;
            let mut transaction = repository.transaction()?;
            let mut names = kept.into_iter().chain([name.as_str()]);
            if let Err(error) = names.try_for_each(|name| transaction.lock_ref(name)) {
                if !is_passing(&error) || Instant::now() > until {
                    return Err(error.into());
                }
                drop(transaction);
                drop(repository);
                std::thread::sleep(AGAIN);
                continue;
            }
            // Under git's locks of both: what is seen now stays so until this is done.
            if let Some(kept) = kept
                && self.target(kept)?.is_none()
            {
                return Ok(None);
            }
            let foreseen = self.foresee(branch, commit, forced)?;
            if foreseen == Moved::Moved {
                transaction.set_target(&name, commit.to_git(), None, "push")?;
                transaction.commit()?;
                self.sync_reference(&name)?;
            }
            return Ok(Some(foreseen));
        }
    }
}

/// Somebody else was at it at the same moment.
fn is_passing(error: &git2::Error) -> bool {
    matches!(error.code(), git2::ErrorCode::Modified | git2::ErrorCode::Exists | git2::ErrorCode::Locked)
}

fn contains(repository: &git2::Repository, commit: ObjectId, ancestor: ObjectId) -> anyhow::Result<bool> {
    if commit == ancestor {
        return Ok(true);
    }
    // What is not here is in no history.
    if repository.find_commit(ancestor.to_git()).is_err() {
        return Ok(false);
    }
    match repository.graph_descendant_of(commit.to_git(), ancestor.to_git()) {
        Ok(contained) => Ok(contained),
        // A history that ends early.
        Err(_) => Ok(between(repository, commit, ancestor)?.older.is_empty()),
    }
}
