//! Moves a branch on behalf of a push whose client has left. A push whose client is there is moved by git itself.

use crate::repository::branch_name;
use crate::{ObjectId, Repository, shallow};

/// What became of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It names the commit now.
    Moved,
    /// It named the commit already.
    Already,
    /// It stays where it is, and why.
    Skipped(String),
}

impl Repository {
    /// Tells whether one commit is among the ancestors of the other. Blocks.
    ///
    /// # Errors
    /// A history that ends early, as shallow clones push it.
    pub fn contains(&self, commit: ObjectId, ancestor: ObjectId) -> anyhow::Result<bool> {
        Ok(self.open()?.graph_descendant_of(commit.to_git(), ancestor.to_git())?)
    }

    /// Lets a branch name a commit that was adopted, if it is still at `expected` (none: not there), durably. May be
    /// repeated. To be called when no git process works on the branch any more. Blocks.
    pub fn set_branch(
        &self,
        branch: &str,
        commit: ObjectId,
        expected: Option<ObjectId>,
    ) -> anyhow::Result<Moved> {
        let name = branch_name(branch)?;
        let tip = self.branch_tip(branch)?;
        if tip == Some(commit) {
            return Ok(Moved::Already);
        }
        if tip != expected {
            return Ok(moved_elsewhere(branch, tip));
        }
        let repository = self.open()?;
        if repository.find_commit(commit.to_git()).is_err() {
            return Ok(Moved::Skipped(format!("the commit {} is not in the repository", commit.short())));
        }
        // A branch whose history has holes that are not written down would break the next clone.
        shallow::record(&repository, &[commit])?;
        let message = "push";
        let done = match expected {
            Some(old) => repository.reference_matching(&name, commit.to_git(), true, old.to_git(), message),
            None => repository.reference(&name, commit.to_git(), false, message),
        };
        match done {
            Ok(_) => {
                self.sync_reference(&name)?;
                Ok(Moved::Moved)
            }
            Err(error) if matches!(error.code(), git2::ErrorCode::Modified | git2::ErrorCode::Exists) => {
                Ok(moved_elsewhere(branch, self.branch_tip(branch)?))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn moved_elsewhere(branch: &str, tip: Option<ObjectId>) -> Moved {
    let tip = tip.map_or_else(|| "gone".to_owned(), |tip| format!("at {}", tip.short()));
    Moved::Skipped(format!("the branch {branch} has been moved meanwhile and is {tip}"))
}
