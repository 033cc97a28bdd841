//! A toy world for the tests of the plan: it carries the actions out, and time passes in it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::exit::ExitCause;
use crate::formation::Scale;
use crate::replica::Phase;

const DEADLINE: i64 = 300;

/// One app on some hosts. New replicas become healthy after a turn, unless their version is broken.
pub(super) struct Toy {
    pub(super) world: World,
    pub(super) now: Timestamp,
    pub(super) next: u128,
    pub(super) broken: Vec<u64>,
    pub(super) outcome: BTreeMap<u128, Result<(), String>>,
}

pub(super) fn version(n: u64) -> Version {
    Version(n)
}

pub(super) fn target(n: u64, generation: u64, types: &[&str]) -> Target {
    Target { version: version(n), generation, types: types.iter().map(|t| t.parse().unwrap()).collect() }
}

impl Toy {
    pub(super) fn new(hosts: u128, web: u32) -> Self {
        let hosts = (1..=hosts).map(host).collect();
        let app = AppView {
            id: AppId(Uuid::from_u128(1)),
            deleted: false,
            serving: None,
            rollout: None,
            watch: None,
            alone: Default::default(),
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

    pub(super) fn app(&mut self) -> &mut AppView {
        &mut self.world.apps[0]
    }

    pub(super) fn roll_out(&mut self, target: Target, phase: RolloutPhase) -> u128 {
        self.next += 1;
        let operation = OperationId(Uuid::from_u128(self.next));
        let deadline = self.now + SignedDuration::from_secs(DEADLINE);
        self.app().rollout = Some(Rollout { operation, target, phase, deadline, boot_seconds: 60 });
        self.next
    }

    pub(super) fn deploy(&mut self, n: u64) -> Result<(), String> {
        let operation = self.roll_out(target(n, n, &["web"]), RolloutPhase::Rolling);
        self.settle();
        self.outcome.remove(&operation).expect("a rollout ends")
    }

    pub(super) fn scale(&mut self, web: u32) {
        self.app().formation.get_mut("web").unwrap().quantity = web;
    }

    /// Plans and acts until there is nothing to do; time passes by a second a turn.
    pub(super) fn settle(&mut self) {
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

    pub(super) fn act(&mut self, action: Action) {
        let until = self.now + SignedDuration::from_secs(30);
        match action {
            Action::Create(new) => self.create(new),
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
            Action::EndWatch(_) | Action::Revert(..) => self.app().watch = None,
            Action::Fail(id, reason) => {
                self.app().rollout = None;
                self.outcome.insert(id.0.as_u128(), Err(reason));
            }
        }
    }

    fn create(&mut self, new: NewReplica) {
        self.next += 1;
        let view = ReplicaView::created(new, ReplicaId(Uuid::from_u128(self.next)), self.now);
        self.app().replicas.push(view);
    }

    pub(super) fn wish(&mut self, id: ReplicaId, wish: ReplicaWish) {
        self.app().replicas.iter_mut().find(|replica| replica.id == id).unwrap().wish = wish;
    }

    pub(super) fn change(&mut self, id: ReplicaId, change: impl FnOnce(&mut Observed)) {
        let replica = self.app().replicas.iter_mut().find(|replica| replica.id == id).unwrap();
        if let Observation::Seen(seen) = &mut replica.seen {
            change(seen);
        }
    }

    /// Lets the hosts carry the wishes out; tells whether anything changed.
    pub(super) fn observe(&mut self) -> bool {
        let broken = self.broken.clone();
        let hosts: BTreeMap<HostId, bool> =
            self.world.hosts.iter().map(|host| (host.id, host.standing != Standing::Lost)).collect();
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

    pub(super) fn healthy(&self) -> usize {
        self.world.apps[0].routed().len()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.world.apps[0].replicas.iter().map(|r| format!("{} {}", r.name(), r.version)).collect();
        names.sort();
        names
    }

    pub(super) fn spread(&self) -> Vec<usize> {
        let on = |host: &HostView| self.world.apps[0].replicas.iter().filter(|r| r.host == host.id).count();
        self.world.hosts.iter().map(on).collect()
    }
}

/// Returns a host without bounds, that is ready; those with odd and even numbers are in different zones.
pub(super) fn host(n: u128) -> HostView {
    let zone = if n.is_multiple_of(2) { "b" } else { "a" };
    HostView {
        id: HostId(Uuid::from_u128(n)),
        zone: zone.to_owned(),
        standing: Standing::Ready,
        memory_mb: None,
        cpu_millicores: None,
    }
}

pub(super) fn starting() -> Observed {
    Observed {
        phase: Phase::Starting,
        restarts: 0,
        entrance: false,
        since: Timestamp::UNIX_EPOCH,
        quiet: true,
        traffic: Default::default(),
        exit: None,
        reason: None,
    }
}
