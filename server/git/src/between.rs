//! Which commits two histories do not share. Walks both at once, newest first, and stops where they have met; also where
//! a history has holes, which libgit2's own walk does not survive.

use std::collections::{BinaryHeap, HashMap};

use crate::{ObjectId, shallow};

/// Commits that are walked; beyond, counts are lower bounds.
const MOST_WALKED: usize = 10_000;

const NEWER: u8 = 1;
const OLDER: u8 = 2;
const BOTH: u8 = NEWER | OLDER;

/// The commits that only one of two histories has, newest first.
#[derive(Debug, Default)]
pub(crate) struct Between {
    pub(crate) newer: Vec<git2::Oid>,
    pub(crate) older: Vec<git2::Oid>,
    /// Whether the walk came to where a history ends early, or to its bound.
    pub(crate) incomplete: bool,
}

/// Walks from both commits to where their histories meet.
pub(crate) fn between(
    repository: &git2::Repository,
    newer: ObjectId,
    older: ObjectId,
) -> anyhow::Result<Between> {
    let ends = shallow::written(repository)?;
    let mut sides: HashMap<git2::Oid, u8> = HashMap::new();
    let mut ahead = BinaryHeap::new();
    let mut met = Vec::new();
    let mut found = Between::default();
    for (commit, side) in [(newer.to_git(), NEWER), (older.to_git(), OLDER)] {
        *sides.entry(commit).or_default() |= side;
        ahead.push((repository.find_commit(commit)?.time().seconds(), commit));
    }
    while ahead.iter().any(|(_, commit)| sides[commit] != BOTH) {
        let Some((_, id)) = ahead.pop() else { break };
        if met.len() == MOST_WALKED {
            found.incomplete = true;
            break;
        }
        met.push(id);
        let side = sides[&id];
        let commit = repository.find_commit(id)?;
        found.incomplete |= ends.contains(&id.into());
        for parent in commit.parent_ids() {
            let seen = sides.entry(parent).or_default();
            if *seen & side == side {
                continue;
            }
            *seen |= side;
            match repository.find_commit(parent) {
                Ok(parent) => ahead.push((parent.time().seconds(), parent.id())),
                Err(_) => found.incomplete = true,
            }
        }
    }
    let mut told = std::collections::HashSet::new();
    for id in met.into_iter().filter(|id| told.insert(*id)) {
        match sides[&id] {
            NEWER => found.newer.push(id),
            OLDER => found.older.push(id),
            _ => (),
        }
    }
    Ok(found)
}
