//! Which replicas are targets of their app's group, and how the group's list becomes that. A target is known by its instance
//! and its port: several replicas of an app may be on one instance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::health::TargetHealth;
use crate::instances::InstanceId;
use crate::plan::{AppView, ReplicaView, ReplicaWish};
use crate::replica::Phase;

/// The most targets that one call registers or deregisters.
pub const BATCH: usize = 200;

/// Where a load balancer sends requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The instance.
    pub instance: InstanceId,
    /// The port of the replica there.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.instance, self.port)
    }
}

/// What makes a group's list what it should be, in calls of bounded size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetChanges {
    /// To be registered, first: capacity comes before it goes.
    pub register: Vec<Vec<Target>>,
    /// To be deregistered.
    pub deregister: Vec<Vec<Target>>,
}

impl TargetChanges {
    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.register.is_empty() && self.deregister.is_empty()
    }
}

/// Returns what is to change. One that drains and is wanted (again) is registered, which ends the draining.
#[must_use]
pub fn target_changes(wanted: &BTreeSet<Target>, listed: &BTreeMap<Target, TargetHealth>) -> TargetChanges {
    let stays = |target: &Target| listed.get(target).is_some_and(|health| *health != TargetHealth::Draining);
    let leaves = |(target, health): &(&Target, &TargetHealth)| {
        !wanted.contains(*target) && **health != TargetHealth::Draining
    };
    let register: Vec<Target> = wanted.iter().filter(|target| !stays(target)).cloned().collect();
    let deregister: Vec<Target> = listed.iter().filter(leaves).map(|(target, _)| target.clone()).collect();
    let batches = |targets: Vec<Target>| targets.chunks(BATCH).map(<[Target]>::to_vec).collect();
    TargetChanges { register: batches(register), deregister: batches(deregister) }
}

/// Returns the replicas of an app that should be targets: those that may get requests, and those of a rollout that its agent
/// finds healthy, since the balancer's word comes only after that. One that was a target stays it while it runs and nobody
/// told it to leave: that it fails its agent's probe for a moment is for the balancer to find out by itself.
pub fn register_wish<'a>(
    app: &'a AppView,
    is_target: impl Fn(&ReplicaView) -> bool + 'a,
) -> impl Iterator<Item = &'a ReplicaView> {
    let chosen: BTreeSet<_> =
        app.routed().into_iter().chain(app.probed()).map(|replica| replica.id).collect();
    app.replicas.iter().filter(move |replica| {
        let runs =
            replica.observed().is_some_and(|seen| matches!(seen.phase, Phase::Healthy | Phase::Unhealthy));
        let stays = replica.process.is_web() && replica.wish == ReplicaWish::Run && runs;
        chosen.contains(&replica.id) || (stays && is_target(replica))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(n: u16) -> Target {
        Target { instance: format!("i-{:x}", n % 7).parse().unwrap(), port: 1_024 + n / 7 }
    }

    fn health() -> impl Strategy<Value = TargetHealth> {
        prop::sample::select(vec![
            TargetHealth::Initial,
            TargetHealth::Healthy,
            TargetHealth::of("unhealthy", "Target.Timeout"),
            TargetHealth::Draining,
        ])
    }

    #[test]
    fn two_replicas_on_one_instance_are_two_targets() {
        let listed = [(target(0), TargetHealth::Healthy), (target(7), TargetHealth::Healthy)].into();
        let changes = target_changes(&[target(0)].into(), &listed);
        assert_eq!(changes.deregister, [[target(7)]]);
    }

    proptest! {
        #[test]
        fn the_list_becomes_what_is_wanted_in_bounded_calls_and_stays_so(
            wanted in prop::collection::btree_set(0u16..900, 0..700),
            listed in prop::collection::btree_map(0u16..900, health(), 0..700),
        ) {
            let wanted: BTreeSet<Target> = wanted.into_iter().map(target).collect();
            let mut listed: BTreeMap<Target, TargetHealth> =
                listed.into_iter().map(|(n, health)| (target(n), health)).collect();
            let before = listed.clone();
            let changes = target_changes(&wanted, &listed);
            prop_assert!(changes.register.iter().chain(&changes.deregister).all(|batch| (1..=BATCH).contains(&batch.len())));
            for target in changes.deregister.concat() {
                prop_assert!(!wanted.contains(&target));
                listed.insert(target, TargetHealth::Draining);
            }
            for target in changes.register.concat() {
                listed.insert(target, TargetHealth::Initial);
            }
            prop_assert!(target_changes(&wanted, &listed).is_empty());
            let serving: BTreeSet<_> =
                listed.iter().filter(|(_, health)| **health != TargetHealth::Draining).map(|(target, _)| target).collect();
            prop_assert_eq!(serving, wanted.iter().collect());
            for target in wanted.iter().filter(|target| before.get(*target) == Some(&TargetHealth::Healthy)) {
                prop_assert_eq!(&listed[target], &TargetHealth::Healthy, "what is healthy is left alone");
            }
        }
    }
}
