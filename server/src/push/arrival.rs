//! What a pushed commit is to its app when it arrives: whether its branch may go there, and whether it is being built, or
//! serves, already. Two pushes of one commit meet here, and become one build.

use git::{CommitFacts, Deployment, Moved, ObjectId, Repository};
use model::id::BuildId;
use model::release::{CommitRef, ReleaseStatus, Version};
use store::{App, Db};

/// A pushed commit that is kept for a build.
pub(super) struct Arrival {
    /// The build, should it be the first of this commit.
    pub(super) build: BuildId,
    pub(super) branch: String,
    /// Where the client saw the branch.
    old: Option<ObjectId>,
    pub(super) commit: ObjectId,
    /// Whether it does not contain what the client saw: the protocol does not tell, but a client refuses that unless it
    /// is told to force it.
    pub(super) forced: bool,
    facts: CommitFacts,
}

/// What is known of a pushed commit.
pub(super) enum Known {
    New,
    /// It is being built, for this branch.
    Build(Box<store::Build>),
    /// It is being rolled out.
    Release(Version),
    /// It serves.
    Serves(Version),
}

impl Arrival {
    /// Keeps the commit. Blocks.
    pub(super) fn keep(repository: &Repository, deployment: Deployment) -> anyhow::Result<Self> {
        let Deployment { branch, commit: pushed, old } = deployment;
        let build = BuildId::new();
        let commit = repository.keep(pushed, &build.to_string())?;
        let forced = match old {
            Some(old) => !repository.contains(commit, old)?,
            None => false,
        };
        Ok(Self { build, branch, old, commit, forced, facts: repository.commit_facts(commit)? })
    }

    /// Tells whether the branch may go to the commit now. A forced push may only replace what its client saw. Blocks.
    pub(super) fn foresee(&self, repository: &Repository) -> anyhow::Result<Moved> {
        let tip = repository.branch_tip(&self.branch)?;
        match tip {
            Some(tip) if self.forced && tip != self.commit && Some(tip) != self.old => {
                Ok(Moved::Refused(tip))
            }
            _ => repository.foresee(&self.branch, self.commit, self.forced),
        }
    }

    /// Moves the branch for a push that needs no build of its own. Blocks.
    pub(super) fn advance(&self, repository: &Repository) -> anyhow::Result<Moved> {
        match self.foresee(repository)? {
            Moved::Moved => repository.advance(&self.branch, self.commit, self.forced),
            other => Ok(other),
        }
    }

    /// Looks whether this commit is being built, or serves already without git knowing.
    pub(super) async fn known(&self, db: &mut Db, app: &App) -> anyhow::Result<Known> {
        let commit = self.commit.to_string();
        if let Some(build) = store::find_unfinished_build_of(db, app.id, &commit).await? {
            return Ok(Known::Build(Box::new(build)));
        }
        let newest = store::newest_release_that_counts(db, app.id).await?;
        let of_this = newest.filter(|release| release.commit.as_ref().is_some_and(|c| c.id == commit));
        Ok(match of_this.map(|release| (release.status, release.version)) {
            Some((ReleaseStatus::Succeeded, version)) => Known::Serves(version),
            Some((ReleaseStatus::Pending, version)) => Known::Release(version),
            _ => Known::New,
        })
    }

    pub(super) fn commit_ref(&self) -> CommitRef {
        let CommitFacts { subject, author_name, .. } = self.facts.clone();
        CommitRef { id: self.commit.to_string(), subject, author: author_name }
    }
}

/// Returns why a branch does not move, and what helps.
pub(crate) fn not_forward(branch: &str, tip: ObjectId) -> [String; 2] {
    [
        format!("{branch} is at {} now, which this push does not contain (non-fast-forward)", tip.short()),
        format!("fetch it, merge or rebase, and push again: git pull --rebase paas {branch}"),
    ]
}
