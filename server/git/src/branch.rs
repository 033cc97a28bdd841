//! Moves the branch that deploys, and says when it may not: it goes forward only, unless the push was forced.

use std::time::{Duration, Instant};

use crate::between::between;
use crate::repository::branch_name;
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
        contains(&self.open()?, commit, ancestor)
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

    /// Lets a branch name a commit that is kept, durably: if that is forward from where it is, or `forced`. The look and
    /// the move are one step. May be repeated. Blocks.
    pub fn advance(&self, branch: &str, commit: ObjectId, forced: bool) -> anyhow::Result<Moved> {
        let name = branch_name(branch)?;
        let repository = self.open()?;
        // A branch whose history has holes that are not written down would break the next clone.
        shallow::record(&repository, &[commit])?;
        let until = Instant::now() + LOCKED;
        loop {
            let tip = self.branch_tip(branch)?;
            let foreseen = self.foresee(branch, commit, forced)?;
            if foreseen != Moved::Moved {
                return Ok(foreseen);
            }
            let (to, message) = (commit.to_git(), "push");
            let done = match tip {
                Some(tip) => repository.reference_matching(&name, to, true, tip.to_git(), message),
                None => repository.reference(&name, to, false, message),
            };
            match done {
                Ok(_) => {
                    self.sync_reference(&name)?;
                    return Ok(Moved::Moved);
                }
                Err(error) if is_passing(&error) && Instant::now() < until => std::thread::sleep(AGAIN),
                Err(error) => return Err(error.into()),
            }
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
