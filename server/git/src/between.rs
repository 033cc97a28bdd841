//! Which commits two histories do not share. Walks both at once, newest first, and stops where they have met; also where
//! a history has holes, which libgit2's own walk does not survive.

use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

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
    let mut walk = Walk::new(repository)?;
    walk.reach(newer.to_git(), NEWER)?;
    walk.reach(older.to_git(), OLDER)?;
    let bounded = walk.run()?;
    walk.settle()?;
    let mut told = HashSet::new();
    let mut found = Between { incomplete: bounded, ..Between::default() };
    for id in walk.met.iter().filter(|id| told.insert(**id)) {
        let side = walk.sides[id];
        found.incomplete |= side != BOTH && walk.holes.contains(id);
        match side {
            NEWER => found.newer.push(*id),
            OLDER => found.older.push(*id),
            _ => (),
        }
    }
    Ok(found)
}

struct Walk<'a> {
    repository: &'a git2::Repository,
    /// Where histories are known to end early.
    ends: BTreeSet<ObjectId>,
    /// From where each commit has been reached so far.
    sides: HashMap<git2::Oid, u8>,
    /// Still to be visited, by time.
    ahead: BinaryHeap<(i64, git2::Oid)>,
    /// Visited, in this order, some of them twice.
    met: Vec<git2::Oid>,
    /// Those whose parents are missing.
    holes: HashSet<git2::Oid>,
}

impl<'a> Walk<'a> {
    fn new(repository: &'a git2::Repository) -> anyhow::Result<Self> {
        let (ends, sides, holes) = (shallow::written(repository)?, HashMap::new(), HashSet::new());
        Ok(Self { repository, ends, sides, ahead: BinaryHeap::new(), met: Vec::new(), holes })
    }

    /// Returns whether the walk ended at its bound.
    fn run(&mut self) -> anyhow::Result<bool> {
        while self.ahead.iter().any(|(_, commit)| self.sides[commit] != BOTH) {
            if self.met.len() == MOST_WALKED {
                return Ok(true);
            }
            let Some((_, id)) = self.ahead.pop() else { break };
            self.met.push(id);
            if self.ends.contains(&id.into()) {
                self.holes.insert(id);
            }
            for parent in self.repository.find_commit(id)?.parent_ids() {
                if self.reach(parent, self.sides[&id]).is_err() {
                    self.holes.insert(id);
                }
            }
        }
        Ok(false)
    }

    fn reach(&mut self, id: git2::Oid, side: u8) -> Result<(), git2::Error> {
        let time = self.repository.find_commit(id)?.time().seconds();
        let seen = self.sides.entry(id).or_default();
        if *seen & side != side {
            *seen |= side;
            self.ahead.push((time, id));
        }
        Ok(())
    }

    /// Clocks lie, and a second holds many commits: what was visited from one side before its descendant was reached
    /// from the other belongs to both.
    fn settle(&mut self) -> Result<(), git2::Error> {
        let mut shared: Vec<_> =
            self.ahead.drain().map(|(_, id)| id).filter(|id| self.sides[id] == BOTH).collect();
        while let Some(id) = shared.pop() {
            for parent in self.repository.find_commit(id)?.parent_ids() {
                if let Some(side) = self.sides.get_mut(&parent).filter(|side| **side != BOTH) {
                    *side = BOTH;
                    shared.push(parent);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of commits, at the times that are given.
    fn line(repository: &git2::Repository, times: impl Iterator<Item = i64>) -> Vec<ObjectId> {
        let empty = repository.treebuilder(None).unwrap().write().unwrap();
        let tree = repository.find_tree(empty).unwrap();
        let mut line: Vec<git2::Oid> = Vec::new();
        for (number, time) in times.enumerate() {
            let who = git2::Signature::new("A", "a@b", &git2::Time::new(time, 0)).unwrap();
            let parent = line.last().map(|id| repository.find_commit(*id).unwrap());
            let parents: Vec<_> = parent.iter().collect();
            line.push(repository.commit(None, &who, &who, &number.to_string(), &tree, &parents).unwrap());
        }
        line.into_iter().map(ObjectId::from).collect()
    }

    #[test]
    fn clocks_that_stand_still_or_run_backwards_do_not_confuse_it() {
        let dir = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(dir.path()).unwrap();
        for step in [60, 0, -60] {
            let line = line(&repository, (0..12).map(|number| 1_700_000_000 + number * step));
            for older in 0..line.len() {
                for newer in older..line.len() {
                    let found = between(&repository, line[newer], line[older]).unwrap();
                    let expected = (newer - older, 0, false);
                    assert_eq!(
                        (found.newer.len(), found.older.len(), found.incomplete),
                        expected,
                        "{step} s"
                    );
                    let back = between(&repository, line[older], line[newer]).unwrap();
                    assert_eq!((back.newer.len(), back.older.len()), (0, newer - older), "{step} s");
                }
            }
        }
    }
}
