//! What lies between two commits: commits and files, both bounded, paths made safe to show.

use anyhow::Context;
use git2::{Delta, DiffDelta, DiffOptions, Patch};
use serde::{Deserialize, Serialize};

use crate::between::{Between, between};
use crate::terminal::clean_line;
use crate::{CommitFacts, ObjectId, Repository};

/// Files whose lines are counted; larger differences only name them.
const LARGEST_COUNTED: i64 = 1 << 20;
/// The way from one commit to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Commits that the newer has and the older has not, newest first.
    pub commits: Vec<CommitFacts>,
    /// How many more of them there are, counted among at most 10,000.
    pub more_commits: usize,
    /// Commits that only the older has: the way leads back, or aside.
    pub dropped_commits: usize,
    /// Whether a history ends early, as shallow clones push it, so that commits are missing above.
    pub incomplete: bool,
    /// Files that differ.
    pub files: Vec<ChangedFile>,
    /// How many more of them there are.
    pub more_files: usize,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path, in the newer commit if it is there.
    pub path: String,
    /// `added`, `deleted`, `modified` or `type changed`.
    pub status: String,
    /// Lines added and removed; none for binary and very large files.
    pub lines: Option<(usize, usize)>,
}

impl Repository {
    /// Compares two commits; lists at most `most` commits and as many files. Blocks.
    pub fn compare(&self, older: ObjectId, newer: ObjectId, most: usize) -> anyhow::Result<Comparison> {
        let repository = self.open()?;
        for commit in [older, newer] {
            let found = repository.find_commit(commit.to_git());
            found.with_context(|| format!("the commit {} is not here", commit.short()))?;
        }
        let mut comparison = Comparison::default();
        let Between { newer: commits, older: dropped, incomplete } = between(&repository, newer, older)?;
        for id in commits.iter().take(most) {
            comparison.commits.push(CommitFacts::of(&repository.find_commit(*id)?));
        }
        comparison.more_commits = commits.len() - comparison.commits.len();
        comparison.dropped_commits = dropped.len();
        comparison.incomplete = incomplete;
        files(&repository, (older, newer), most, &mut comparison)?;
        Ok(comparison)
    }
}

fn files(
    repository: &git2::Repository,
    (older, newer): (ObjectId, ObjectId),
    most: usize,
    comparison: &mut Comparison,
) -> anyhow::Result<()> {
    let older = repository.find_commit(older.to_git())?.tree()?;
    let newer = repository.find_commit(newer.to_git())?.tree()?;
    let mut options = DiffOptions::new();
    options.max_size(LARGEST_COUNTED).context_lines(0).ignore_submodules(false).include_typechange(true);
    let diff = repository.diff_tree_to_tree(Some(&older), Some(&newer), Some(&mut options))?;
    for (at, delta) in diff.deltas().enumerate().take(most) {
        let (path, status) = (path(&delta), status(delta.status()).to_owned());
        comparison.files.push(ChangedFile { path, status, lines: lines(&diff, at) });
    }
    comparison.more_files = diff.deltas().len() - comparison.files.len();
    Ok(())
}

fn lines(diff: &git2::Diff<'_>, at: usize) -> Option<(usize, usize)> {
    let patch = Patch::from_diff(diff, at).ok()??;
    if patch.delta().flags().is_binary() {
        return None;
    }
    let (_, added, removed) = patch.line_stats().ok()?;
    Some((added, removed))
}

fn path(delta: &DiffDelta<'_>) -> String {
    let path = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
    clean_line(path.unwrap_or_default(), 300)
}

fn status(status: Delta) -> &'static str {
    match status {
        Delta::Added => "added",
        Delta::Deleted => "deleted",
        Delta::Typechange => "type changed",
        _ => "modified",
    }
}
