//! Histories with holes, as shallow clones push them: finds the commits whose parents are not here and writes them
//! down the way git does (gitrepository-layout(5), `shallow`).

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};

use anyhow::Context;

use crate::{ObjectId, durable};

/// Writes down where the histories of these commits end early; changes nothing where they do not.
pub(crate) fn record(repository: &git2::Repository, commits: &[ObjectId]) -> anyhow::Result<()> {
    let ends = ends(repository, commits)?;
    if ends.is_empty() {
        return Ok(());
    }
    let path = repository.path().join("shallow");
    let mut lines: BTreeSet<String> = written(repository)?.iter().map(ObjectId::to_string).collect();
    lines.extend(ends.iter().map(ObjectId::to_string));
    let lock = repository.path().join("shallow.lock");
    let mut file = OpenOptions::new().write(true).create_new(true).open(&lock);
    let file = file.as_mut().map_err(|error| io::Error::new(error.kind(), error.to_string()));
    let file = file.context("another process is changing where this repository's history ends, try again")?;
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.sync_all()?;
    fs::rename(&lock, &path)?;
    Ok(durable::sync(repository.path())?)
}

/// Returns the commits that are written down.
pub(crate) fn written(repository: &git2::Repository) -> anyhow::Result<BTreeSet<ObjectId>> {
    match fs::read_to_string(repository.path().join("shallow")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        lines => Ok(lines?.lines().filter_map(|line| line.parse().ok()).collect()),
    }
}

/// Returns the commits whose parents are missing. What is written down already does not count: libgit2 shows such
/// commits without parents.
fn ends(repository: &git2::Repository, commits: &[ObjectId]) -> anyhow::Result<BTreeSet<ObjectId>> {
    let odb = repository.odb()?;
    let mut seen: HashSet<git2::Oid> = HashSet::new();
    for reference in repository.references_glob("refs/heads/*")? {
        seen.extend(reference?.target());
    }
    let mut ends = BTreeSet::new();
    let mut ahead: Vec<git2::Oid> = commits.iter().map(|commit| commit.to_git()).collect();
    ahead.iter().for_each(|commit| {
        seen.remove(commit);
    });
    while let Some(id) = ahead.pop() {
        if !seen.insert(id) {
            continue;
        }
        let commit = repository.find_commit(id).with_context(|| format!("the commit {id} cannot be read"))?;
        for parent in commit.parent_ids() {
            if seen.contains(&parent) {
                continue;
            }
            if odb.exists(parent) {
                ahead.push(parent);
            } else {
                ends.insert(id.into());
            }
        }
    }
    Ok(ends)
}
