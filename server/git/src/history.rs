//! What a commit says about itself, made safe to show.

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::terminal::clean_line;
use crate::{ObjectId, Repository};

/// The facts about one commit that people look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFacts {
    /// Which one.
    pub commit: ObjectId,
    /// Who wrote it, at most 100 characters.
    pub author_name: String,
    /// Their address, at most 200 characters.
    pub author_email: String,
    /// The first line of the message, at most 200 characters.
    pub subject: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

impl CommitFacts {
    pub(crate) fn of(commit: &git2::Commit<'_>) -> Self {
        let author = commit.author();
        let message = commit.message_bytes();
        let line = message.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        Self {
            commit: commit.id().into(),
            author_name: clean_line(author.name_bytes(), 100),
            author_email: clean_line(author.email_bytes(), 200),
            subject: clean_line(line.unwrap_or_default().trim_ascii(), 200),
            time: commit.time().seconds(),
        }
    }
}

impl Repository {
    /// Returns the facts about a commit. Blocks.
    pub fn commit_facts(&self, commit: ObjectId) -> anyhow::Result<CommitFacts> {
        let repository = self.open()?;
        let found = repository.find_commit(commit.to_git());
        Ok(CommitFacts::of(&found.with_context(|| format!("the commit {} is not here", commit.short()))?))
    }
}
