//! How things were when they were last as wanted: what differs then though the same is wanted was changed by somebody else. People are
//! told once it is put back, however many turns that takes.

use std::collections::{BTreeMap, BTreeSet};

use model::entrance::{Target, TargetChanges};
use model::id::AppId;
use model::name::Hostname;

use super::provider::{Check, Manners, Refused};

/// All that somebody else may change.
#[derive(Debug, Default)]
pub(super) struct Right {
    /// The balancer that each app is on, and the ARN of its group there.
    pub(super) groups: BTreeMap<AppId, (String, String)>,
    /// By the group's ARN, as the two below.
    pub(super) checks: BTreeMap<String, Guarded<Check>>,
    pub(super) manners: BTreeMap<String, Guarded<Manners>>,
    pub(super) targets: BTreeMap<String, GuardedTargets>,
    /// Which names lead to a group, by the listener and the group's ARN.
    pub(super) rules: BTreeMap<(String, String), Guarded<BTreeSet<Hostname>>>,
}

impl Right {
    /// Takes note of where an app's group is that is as its balancer shows it. Returns whether it is there in place of another.
    pub(super) fn note_group(&mut self, app: AppId, balancer: &str, arn: &str) -> bool {
        let before = self.groups.insert(app, (balancer.to_owned(), arn.to_owned()));
        // A list that has missed it leads to the same one.
        before.is_some_and(|(on, before)| on == balancer && before != arn)
    }

    /// Takes note of which names should lead to which groups, and which of these do not have their rules as they should be. Returns
    /// whether somebody else had changed those of one and they are put back.
    pub(super) fn note_rules(
        &mut self,
        listener: &str,
        names: &BTreeMap<String, BTreeSet<Hostname>>,
        unlike: &BTreeSet<&str>,
    ) -> bool {
        self.rules.retain(|(on, group), _| on != listener || names.contains_key(group));
        let mut put_back = false;
        for (group, hosts) in names {
            let guarded = self.rules.entry((listener.to_owned(), group.clone())).or_default();
            put_back |= guarded.note(hosts, !unlike.contains(group.as_str()));
        }
        put_back
    }

    /// Forgets groups that do not exist.
    pub(super) fn keep_groups(&mut self, exists: impl Fn(&String) -> bool) {
        self.checks.retain(|arn, _| exists(arn));
        self.manners.retain(|arn, _| exists(arn));
        self.targets.retain(|arn, _| exists(arn));
    }
}

/// Something that is either as wanted or not.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    was: Option<T>,
    changed: bool,
}

impl<T> Default for Guarded<T> {
    fn default() -> Self {
        Self { was: None, changed: false }
    }
}

impl<T: Clone + PartialEq> Guarded<T> {
    /// Takes note of what is wanted, and whether it is so. Returns whether somebody else had changed it and it is put back.
    pub(super) fn note(&mut self, wanted: &T, is_so: bool) -> bool {
        if self.was.as_ref() != Some(wanted) {
            *self = Self { was: is_so.then(|| wanted.clone()), changed: false };
        }
        is_so && std::mem::take(&mut self.changed)
    }

    /// Takes note that it was asked to be put back. A plain refusal says rather that the list had missed something.
    pub(super) fn asked(&mut self, answer: &Result<(), Refused>) {
        self.changed |= self.was.is_some() && !answer.as_ref().is_err_and(|refused| refused.clear);
    }
}

/// The targets of a group, each by itself: while replicas come and go, somebody may take another one away.
#[derive(Debug, Default)]
pub(super) struct GuardedTargets {
    /// Those that were where they belong, and that nobody told to leave since.
    had: BTreeSet<Target>,
    /// Nothing of the platform's own was under way since the list was as wanted.
    whole: bool,
    /// What somebody else changed, and whether it belongs there.
    changed: BTreeMap<Target, bool>,
}

impl GuardedTargets {
    /// Takes note of the targets that a group should have, and of what its list lacks for that. A replica that should run may be
    /// where `may_run` says so, wanted in the list just now or not; those that are told to leave are at those `leaving`. Returns
    /// whether somebody else had changed the targets and all are put back.
    pub(super) fn note(
        &mut self,
        wish: &BTreeSet<Target>,
        changes: &TargetChanges,
        may_run: impl Fn(&Target) -> bool,
        leaving: &BTreeSet<&Target>,
    ) -> bool {
        // Instances that have ended leave by themselves, and are wanted no more soon after.
        self.changed.retain(|target, belongs| wish.contains(target) == *belongs);
        let lost = changes.register.iter().flatten().filter(|target| self.had.contains(*target));
        self.changed.extend(lost.map(|target| (target.clone(), true)));
        let dismissed = || changes.deregister.iter().flatten();
        let is_ours = |target: &Target| self.had.contains(target) || leaving.contains(target);
        self.whole &= wish.is_subset(&self.had) && !dismissed().any(is_ours);
        if self.whole {
            self.changed.extend(dismissed().map(|target| (target.clone(), false)));
        }
        self.had.retain(|target| wish.contains(target) || may_run(target));
        for target in dismissed() {
            self.had.remove(target);
        }
        if !changes.is_empty() {
            return false;
        }
        self.had.extend(wish.iter().cloned());
        self.whole = true;
        !std::mem::take(&mut self.changed).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use model::entrance::{TargetHealth, target_changes};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wanted_otherwise_was_changed_by_nobody_else() {
        let mut guarded = Guarded::default();
        let mut turn = |wanted: i32, is_so: bool, answer: Result<(), Refused>| {
            let told = guarded.note(&wanted, is_so);
            if !is_so {
                guarded.asked(&answer);
            }
            told
        };
        let refused = |clear| Err(Refused { says: "no".to_owned(), unknown: false, clear });
        assert!(!turn(1, false, Ok(())) && !turn(1, true, Ok(())) && !turn(2, false, Ok(())));
        assert!(!turn(2, true, Ok(())) && !turn(2, true, Ok(())));
        assert!(!turn(2, false, refused(false)) && !turn(2, false, Ok(())), "it is not put back yet");
        assert!(turn(2, true, Ok(())));
        assert!(!turn(2, true, Ok(())), "that was said");
        assert!(!turn(2, false, refused(true)) && !turn(2, true, Ok(())), "a list had missed it");
        assert!(!turn(2, false, Ok(())) && !turn(3, false, Ok(())) && !turn(3, true, Ok(())));
    }

    fn target(port: u16) -> Target {
        Target { instance: "i-1".parse().unwrap(), port }
    }

    /// A group as lists show it, and one that guards it.
    #[derive(Default)]
    struct Group {
        listed: BTreeMap<Target, TargetHealth>,
        guarded: GuardedTargets,
    }

    impl Group {
        /// Looks, and does what is to be done unless it is refused.
        fn turn(&mut self, wish: &BTreeSet<Target>, runs: &BTreeSet<Target>, refused: bool) -> bool {
            let changes = target_changes(wish, &self.listed);
            let told = self.guarded.note(wish, &changes, |target| runs.contains(target), &BTreeSet::new());
            if !refused {
                let healthy = |target| (target, TargetHealth::Healthy);
                self.listed.extend(changes.register.into_iter().flatten().map(healthy));
                changes.deregister.iter().flatten().for_each(|target| drop(self.listed.remove(target)));
            }
            told
        }
    }

    fn targets() -> impl Strategy<Value = BTreeSet<Target>> {
        prop::collection::btree_set((0u16..8).prop_map(target), 0..8)
    }

    proptest! {
        #[test]
        fn replicas_that_come_and_go_are_nobodys_hand(
            turns in prop::collection::vec((targets(), targets(), any::<bool>()), 0..40),
        ) {
            let mut group = Group::default();
            for (wish, more, refused) in turns {
                prop_assert!(!group.turn(&wish, &wish.union(&more).cloned().collect(), refused));
            }
        }

        #[test]
        fn what_is_changed_by_hand_is_told_once_it_is_put_back(
            wish in targets(), by_hand in targets(), new in targets(), refusals in 0..5,
        ) {
            let mut group = Group::default();
            for _ in 0..2 {
                group.turn(&wish, &wish, false);
            }
            let new: BTreeSet<Target> = new.difference(&by_hand).cloned().collect();
            let later: BTreeSet<Target> = wish.union(&new).cloned().collect();
            for target in &by_hand {
                if group.listed.remove(target).is_none() {
                    group.listed.insert(target.clone(), TargetHealth::Healthy);
                }
            }
            // That targets are added is seen while nothing of the platform's own is under way only.
            let is_seen = !by_hand.is_disjoint(&wish) || (!by_hand.is_empty() && new.is_subset(&wish));
            for _ in 0..refusals {
                prop_assert!(!group.turn(&later, &later, true));
            }
            prop_assert!(!group.turn(&later, &later, false));
            prop_assert_eq!(group.turn(&later, &later, false), is_seen);
            prop_assert!(!group.turn(&later, &later, false), "that was said");
        }
    }
}
