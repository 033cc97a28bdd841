//! Stories and properties of the plan, on a toy world that carries the actions out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::exit::ExitCause;
use crate::formation::Scale;
use crate::replica::Phase;

const DEADLINE: i64 = 300;

/// One app on some hosts. New replicas become healthy after a turn, unless their version is broken.
struct Toy {
    world: World,
    now: Timestamp,
    next: u128,
    broken: Vec<u64>,
    outcome: BTreeMap<u128, Result<(), String>>,
}

fn version(n: u64) -> Version {
    Version(n)
}

fn target(n: u64, generation: u64, types: &[&str]) -> Target {
    Target { version: version(n), generation, types: types.iter().map(|t| t.parse().unwrap()).collect() }
}

impl Toy {
    fn new(hosts: u128, web: u32) -> Self {
        let hosts = (1..=hosts).map(|n| HostView { id: HostId(Uuid::from_u128(n)), ready: true }).collect();
        let app = AppView {
            id: AppId(Uuid::from_u128(1)),
            deleted: false,
            serving: None,
            rollout: None,
            formation: [(ProcessType::web(), Scale { quantity: web, size: Default::default() })].into(),
            replicas: Vec::new(),
        };
        let now = Timestamp::from_second(1_000_000).unwrap();
        Self {
            world: World { apps: vec![app], hosts },
            now,
            next: 1,
            broken: Vec::new(),
            outcome: BTreeMap::new(),
        }
    }

    fn app(&mut self) -> &mut AppView {
        &mut self.world.apps[0]
    }

    fn roll_out(&mut self, target: Target, phase: RolloutPhase) -> u128 {
        self.next += 1;
        let operation = OperationId(Uuid::from_u128(self.next));
        let deadline = self.now + SignedDuration::from_secs(DEADLINE);
        self.app().rollout = Some(Rollout { operation, target, phase, deadline, boot_seconds: 60 });
        self.next
    }

    fn deploy(&mut self, n: u64) -> Result<(), String> {
        let operation = self.roll_out(target(n, n, &["web"]), RolloutPhase::Rolling);
        self.settle();
        self.outcome.remove(&operation).expect("a rollout ends")
    }

    fn scale(&mut self, web: u32) {
        self.app().formation.get_mut("web").unwrap().quantity = web;
    }

    /// Plans and acts until there is nothing to do; time passes by a second a turn.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let plan = plan(&self.world, self.now);
            assert_eq!(plan, super::plan(&self.world, self.now), "equal input gives an equal plan");
            let idle = plan.actions.is_empty() && self.world.apps[0].rollout.is_none();
            plan.actions.into_iter().for_each(|action| self.act(action));
            if idle && !self.observe() {
                return;
            }
            self.observe();
            self.now += SignedDuration::from_secs(1);
        }
        panic!("the plan does not converge: {:#?}", plan(&self.world, self.now));
    }

    fn act(&mut self, action: Action) {
        let now = self.now;
        let until = now + SignedDuration::from_secs(30);
        match action {
            Action::Create(new) => {
                self.next += 1;
                let id = ReplicaId(Uuid::from_u128(self.next));
                let wish = if new.once_for.is_some() {
                    ReplicaWish::Once { seconds: 600 }
                } else {
                    ReplicaWish::Run
                };
                let NewReplica { process, number, version, generation, host, .. } = new;
                let seen = Observation::Pending;
                let created_at = now;
                let replace = false;
                let view = ReplicaView {
                    id,
                    process,
                    number,
                    version,
                    generation,
                    host,
                    wish,
                    replace,
                    created_at,
                    seen,
                };
                self.app().replicas.push(view);
            }
            Action::Verify(id) => self.change(id, |seen| seen.entrance = true),
            Action::Drain(id) => self.wish(id, ReplicaWish::Drain { until }),
            Action::Stop(id) => self.wish(id, ReplicaWish::Stop),
            Action::Forget(id) => self.app().replicas.retain(|replica| replica.id != id),
            Action::Advance(_) => self.app().rollout.as_mut().unwrap().phase = RolloutPhase::Rolling,
            Action::Switch(id) => {
                let rollout = self.app().rollout.take().unwrap();
                self.app().serving = Some(rollout.target);
                self.outcome.insert(id.0.as_u128(), Ok(()));
            }
            Action::Fail(id, reason) => {
                self.app().rollout = None;
                self.outcome.insert(id.0.as_u128(), Err(reason));
            }
        }
    }

    fn wish(&mut self, id: ReplicaId, wish: ReplicaWish) {
        self.app().replicas.iter_mut().find(|replica| replica.id == id).unwrap().wish = wish;
    }

    fn change(&mut self, id: ReplicaId, change: impl FnOnce(&mut Observed)) {
        let replica = self.app().replicas.iter_mut().find(|replica| replica.id == id).unwrap();
        if let Observation::Seen(seen) = &mut replica.seen {
            change(seen);
        }
    }

    /// Lets the hosts carry the wishes out; tells whether anything changed.
    fn observe(&mut self) -> bool {
        let broken = self.broken.clone();
        let hosts: BTreeMap<HostId, bool> =
            self.world.hosts.iter().map(|host| (host.id, host.ready)).collect();
        let mut changed = false;
        for replica in &mut self.world.apps[0].replicas {
            let before = replica.seen.clone();
            let bad = broken.contains(&replica.version.0);
            replica.seen = match (&before, replica.wish) {
                _ if !hosts[&replica.host] => Observation::Gone,
                (_, ReplicaWish::Stop) => Observation::Gone,
                (Observation::Pending, _) => Observation::Seen(starting()),
                (Observation::Seen(seen), ReplicaWish::Once { .. }) => {
                    let exit = Some(ExitCause::Code(i32::from(bad)));
                    Observation::Seen(Observed { phase: Phase::Ended, exit, ..seen.clone() })
                }
                (Observation::Seen(seen), _) if bad => {
                    let (restarts, exit) = (seen.restarts + 1, Some(ExitCause::Code(1)));
                    Observation::Seen(Observed { phase: Phase::Backoff, restarts, exit, ..seen.clone() })
                }
                (Observation::Seen(seen), _) => {
                    Observation::Seen(Observed { phase: Phase::Healthy, ..seen.clone() })
                }
                (Observation::Gone, _) => Observation::Gone,
            };
            changed |= !bad && before != replica.seen;
        }
        changed
    }

    fn healthy(&self) -> usize {
        self.world.apps[0].routed().len()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.world.apps[0].replicas.iter().map(|r| format!("{} {}", r.name(), r.version)).collect();
        names.sort();
        names
    }

    fn spread(&self) -> Vec<usize> {
        let on = |host: &HostView| self.world.apps[0].replicas.iter().filter(|r| r.host == host.id).count();
        self.world.hosts.iter().map(on).collect()
    }
}

fn starting() -> Observed {
    Observed { phase: Phase::Starting, restarts: 0, entrance: false, in_flight: 0, exit: None, reason: None }
}

#[test]
fn a_first_deploy_starts_what_the_formation_asks_for() {
    let mut toy = Toy::new(1, 2);
    assert_eq!(toy.deploy(1), Ok(()));
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
}

#[test]
fn a_deploy_that_crashes_leaves_the_old_release_alone() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.broken.push(2);
    let reason = toy.deploy(2).unwrap_err();
    assert_eq!(reason, "web.1 exited with status 1");
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
    assert_eq!(toy.healthy(), 2);
}

#[test]
fn nothing_is_routed_to_a_release_before_the_switch_nor_to_one_that_failed() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    for _ in 0..2 {
        let actions = plan(&toy.world, toy.now).actions;
        actions.into_iter().filter(|a| matches!(a, Action::Create(_))).for_each(|action| toy.act(action));
        toy.observe();
    }
    toy.observe();
    assert_eq!(toy.world.apps[0].probed().count(), 1, "the new one is healthy");
    assert!(toy.world.apps[0].routed().iter().all(|replica| replica.version == version(1)));
    toy.app().rollout = None;
    toy.app().replicas[0].seen = Observation::Seen(starting());
    assert_eq!(toy.healthy(), 0, "a failed release never stands in, even when the old one is down");
}

#[test]
fn from_the_switch_on_only_the_new_release_is_routed_to() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    while toy.world.apps[0].rollout.is_some() {
        plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
        let versions: Vec<u64> = toy.world.apps[0].routed().iter().map(|replica| replica.version.0).collect();
        let expected = if toy.world.apps[0].rollout.is_some() { [1, 1] } else { [2, 2] };
        assert_eq!(versions, expected);
        toy.observe();
    }
}

#[test]
fn a_release_command_runs_once_and_before_anything_starts() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web", "release"]), RolloutPhase::ReleaseCommand);
    let first = plan(&toy.world, toy.now).actions;
    assert!(
        matches!(first.as_slice(), [Action::Create(new)] if new.process == ProcessType::release()),
        "{first:?}"
    );
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v2"]);
}

#[test]
fn a_failing_release_command_changes_nothing() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.broken.push(2);
    let operation = toy.roll_out(target(2, 2, &["web", "release"]), RolloutPhase::ReleaseCommand);
    toy.settle();
    assert_eq!(toy.outcome[&operation], Err("the release command exited with status 1".to_owned()));
    assert_eq!(toy.names(), ["web.1 v1"]);
}

#[test]
fn a_rollout_that_never_answers_ends_at_its_boot_time() {
    let mut toy = Toy::new(0, 1);
    let operation = toy.roll_out(target(1, 1, &["web"]), RolloutPhase::Rolling);
    toy.settle();
    assert_eq!(toy.outcome[&operation], Err("the time for it was over".to_owned()), "no host was ever ready");
}

#[test]
fn a_lost_host_is_replaced_on_the_others() {
    let mut toy = Toy::new(3, 3);
    toy.deploy(1).unwrap();
    assert_eq!(toy.spread(), [1, 1, 1]);
    toy.world.hosts[0].ready = false;
    toy.settle();
    let mut spread = toy.spread();
    spread.sort_unstable();
    assert_eq!(spread, [0, 1, 2]);
}

#[test]
fn one_replica_is_replaced_without_touching_its_neighbours() {
    let mut toy = Toy::new(1, 3);
    toy.deploy(1).unwrap();
    let before: Vec<_> = toy.world.apps[0].replicas.iter().map(|replica| replica.id).collect();
    toy.app().replicas[1].replace = true;
    toy.settle();
    let after: Vec<_> = toy.world.apps[0].replicas.iter().map(|replica| replica.id).collect();
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1", "web.3 v1"]);
    assert_eq!(before.iter().filter(|id| after.contains(id)).count(), 2);
}

#[test]
fn a_busy_replica_finishes_before_it_is_stopped_but_not_for_ever() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    let id = toy.world.apps[0].replicas[0].id;
    toy.change(id, |seen| seen.in_flight = 1);
    toy.scale(0);
    let drain = plan(&toy.world, toy.now).actions;
    assert_eq!(drain, [Action::Drain(id)]);
    toy.act(Action::Drain(id));
    assert_eq!(plan(&toy.world, toy.now).actions, []);
    let later = toy.now + SignedDuration::from_secs(31);
    assert_eq!(plan(&toy.world, later).actions, [Action::Stop(id)]);
}

#[test]
fn nothing_of_a_destroyed_app_stays() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.app().deleted = true;
    toy.settle();
    assert!(toy.world.apps[0].replicas.is_empty());
}

proptest! {
    #[test]
    fn any_change_converges_without_a_dip(
        hosts in 1u128..5, before in 0u32..6, after in 0u32..6, redeploy: bool, broken: bool, restart: bool,
    ) {
        let mut toy = Toy::new(hosts, before);
        prop_assert_eq!(toy.deploy(1), Ok(()));
        prop_assert_eq!(toy.healthy(), before as usize);
        if broken { toy.broken.push(2) }
        if redeploy { toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling); }
        if restart && !redeploy { toy.roll_out(target(1, 5, &["web"]), RolloutPhase::Rolling); }
        toy.scale(after);
        let floor = before.min(after) as usize;
        for _ in 0..30 {
            plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
            prop_assert!(toy.healthy() >= floor, "{} < {}", toy.healthy(), floor);
            toy.observe();
            prop_assert!(toy.healthy() >= floor, "{} < {}", toy.healthy(), floor);
            toy.now += SignedDuration::from_secs(1);
        }
        toy.settle();
        prop_assert_eq!(toy.healthy(), after as usize);
        prop_assert_eq!(toy.world.apps[0].replicas.len(), after as usize);
    }
}
