//! The plan and a load balancer together: whatever is deployed, scaled or replaced, as many targets as are wanted are healthy at
//! every moment, and a replica is stopped only when the balancer has let it go. The balancer takes its time, and its list lags.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::formation::Scale;
use crate::id::{AppId, HostId, OperationId, ReplicaId};
use crate::name::ProcessType;
use crate::plan::{
    Action, AppView, HostView, NewReplica, Observation, Observed, ReplicaView, ReplicaWish, Rollout,
    RolloutPhase, Standing, World, plan,
};
use crate::release::Version;
use crate::replica::Phase;

/// How long each step takes, in seconds.
#[derive(Clone, Copy, Debug)]
struct Pace {
    boot: i64,
    check: i64,
    drain: i64,
    /// The list is made anew so often.
    list: i64,
}

struct Scene {
    world: World,
    now: Timestamp,
    next: u128,
    pace: Pace,
    /// What the balancer does: each target's health, and since when.
    real: BTreeMap<Target, (TargetHealth, Timestamp)>,
    listed: BTreeMap<Target, TargetHealth>,
    listed_at: Timestamp,
    left_at: BTreeMap<ReplicaId, Timestamp>,
}

fn target(replica: &ReplicaView) -> Target {
    let port = u16::try_from(replica.id.0.as_u128()).unwrap();
    Target { instance: format!("i-{:x}", replica.host.0.as_u128()).parse().unwrap(), port }
}

impl Scene {
    fn new(pace: Pace) -> Self {
        let host = |n: u128| HostView {
            id: HostId(Uuid::from_u128(n)),
            zone: format!("zone-{n}"),
            standing: Standing::Ready,
            memory_mb: None,
            cpu_millicores: None,
        };
        let app = AppView {
            id: AppId(Uuid::from_u128(1)),
            deleted: false,
            serving: None,
            rollout: None,
            watch: None,
            formation: [(ProcessType::web(), Scale { quantity: 2, size: Default::default() })].into(),
            alone: BTreeSet::new(),
            replicas: Vec::new(),
        };
        let now = Timestamp::from_second(1_000_000).unwrap();
        Self {
            world: World { apps: vec![app], hosts: (1..=3).map(host).collect() },
            now,
            next: 1,
            pace,
            real: BTreeMap::new(),
            listed: BTreeMap::new(),
            listed_at: now,
            left_at: BTreeMap::new(),
        }
    }

    fn app(&mut self) -> &mut AppView {
        &mut self.world.apps[0]
    }

    fn deploy(&mut self) {
        self.next += 1;
        let (version, deadline) =
            (Version(u64::try_from(self.next).unwrap()), self.now + SignedDuration::from_mins(10));
        let target =
            crate::plan::Target { version, generation: version.0, types: [ProcessType::web()].into() };
        let (operation, phase) = (OperationId(Uuid::from_u128(self.next)), RolloutPhase::Rolling);
        self.app().rollout = Some(Rollout { operation, target, phase, deadline, boot_seconds: 120 });
    }

    fn act(&mut self, action: Action) -> Result<(), TestCaseError> {
        let now = self.now;
        let until = now + SignedDuration::from_secs(60);
        match action {
            Action::Create(new) => self.create(new),
            Action::Drain(id) => {
                self.left_at.insert(id, now);
                self.wish(id, ReplicaWish::Drain { until });
            }
            Action::Stop(id) => {
                let replica = self.world.apps[0].replicas.iter().find(|replica| replica.id == id).unwrap();
                prop_assert!(
                    !self.real.contains_key(&target(replica)),
                    "{} is stopped as a target",
                    replica.name()
                );
                self.wish(id, ReplicaWish::Stop);
            }
            Action::Forget(id) => self.app().replicas.retain(|replica| replica.id != id),
            Action::Switch(_) => {
                let rollout = self.app().rollout.take().unwrap();
                self.app().serving = Some(rollout.target);
            }
            // The balancer's own check is what a rollout waits for.
            Action::Verify(_) => {}
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    }

    fn create(&mut self, new: NewReplica) {
        self.next += 1;
        let replica = ReplicaView::created(new, ReplicaId(Uuid::from_u128(self.next)), self.now);
        self.app().replicas.push(replica);
    }

    fn wish(&mut self, id: ReplicaId, wish: ReplicaWish) {
        self.app().replicas.iter_mut().find(|replica| replica.id == id).unwrap().wish = wish;
    }

    /// Lets a second pass: replicas boot and stop, targets are checked and drain, and maybe the list is made anew.
    fn pass(&mut self) {
        self.now += SignedDuration::from_secs(1);
        let (now, pace) = (self.now, self.pace);
        let ago = |since: Timestamp| now.duration_since(since).as_secs();
        for (health, since) in self.real.values_mut() {
            if *health == TargetHealth::Initial && ago(*since) >= pace.check {
                *health = TargetHealth::Healthy;
            }
        }
        self.real.retain(|_, (health, since)| *health != TargetHealth::Draining || ago(*since) < pace.drain);
        if now.as_second() % pace.list == 0 {
            self.listed =
                self.real.iter().map(|(target, (health, _))| (target.clone(), health.clone())).collect();
            self.listed_at = now;
        }
        let (listed, listed_at) = (&self.listed, self.listed_at);
        for replica in &mut self.world.apps[0].replicas {
            let up = ago(replica.created_at) >= pace.boot;
            let health = listed.get(&target(replica));
            // A list of before it was told to leave says nothing of that.
            let heard = self.left_at.get(&replica.id).is_some_and(|left| listed_at > *left);
            replica.seen = match replica.wish {
                ReplicaWish::Stop => Observation::Gone,
                _ => Observation::Seen(Observed {
                    phase: if up { Phase::Healthy } else { Phase::Starting },
                    restarts: 0,
                    entrance: serves(up, health),
                    since: replica.created_at,
                    quiet: heard && is_drained(health),
                    traffic: Default::default(),
                    exit: None,
                    reason: None,
                }),
            };
        }
    }

    /// Makes the balancer's targets what they should be, by the list that there is.
    fn register(&mut self) {
        let app = &self.world.apps[0];
        let wanted =
            register_wish(app, |replica| self.listed.contains_key(&target(replica))).map(target).collect();
        let changes = target_changes(&wanted, &self.listed);
        for target in changes.register.concat() {
            let known = self.real.get(&target).is_some_and(|(health, _)| *health != TargetHealth::Draining);
            if !known {
                self.real.insert(target, (TargetHealth::Initial, self.now));
            }
        }
        for target in changes.deregister.concat() {
            if let Some(target) =
                self.real.get_mut(&target).filter(|(health, _)| *health != TargetHealth::Draining)
            {
                *target = (TargetHealth::Draining, self.now);
            }
        }
    }

    fn healthy(&self) -> usize {
        self.real.values().filter(|(health, _)| *health == TargetHealth::Healthy).count()
    }

    fn wanted(&self) -> usize {
        self.world.apps[0].formation["web"].quantity as usize
    }

    fn is_settled(&self) -> bool {
        let app = &self.world.apps[0];
        let all =
            [app.replicas.len(), self.real.len(), self.healthy()].iter().all(|count| *count == self.wanted());
        all && app.rollout.is_none() && app.replicas.iter().all(|replica| replica.wish == ReplicaWish::Run)
    }

    /// One turn of it all.
    fn turn(&mut self) -> Result<(), TestCaseError> {
        self.pass();
        self.register();
        for action in plan(&self.world, self.now).actions {
            self.act(action)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Deploy,
    Scale(u32),
    Replace(usize),
    DrainHost(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => Just(Change::Deploy),
        2 => (1u32..6).prop_map(Change::Scale),
        1 => (0usize..8).prop_map(Change::Replace),
        1 => (0usize..2).prop_map(Change::DrainHost),
    ]
}

proptest! {
    #[test]
    fn as_many_as_are_wanted_are_healthy_all_the_time_and_none_is_stopped_before_it_is_let_go(
        changes in prop::collection::vec((change(), 1usize..60), 1..12),
        boot in 1i64..10, check in 1i64..12, drain in 1i64..15, list in 1i64..7,
    ) {
        let mut scene = Scene::new(Pace { boot, check, drain, list });
        scene.deploy();
        for _ in 0..120 {
            scene.turn()?;
        }
        prop_assert_eq!(scene.healthy(), 2);
        let mut floor = 2;
        for (change, turns) in changes {
            match change {
                Change::Deploy => scene.deploy(),
                Change::Scale(quantity) => scene.app().formation.get_mut("web").unwrap().quantity = quantity,
                Change::Replace(at) => {
                    let count = scene.world.apps[0].replicas.len();
                    scene.app().replicas[at % count].replace = true;
                }
                Change::DrainHost(at) => scene.world.hosts[at].standing = Standing::Draining,
            }
            for _ in 0..turns {
                floor = if scene.is_settled() { scene.wanted() } else { floor.min(scene.wanted()) };
                scene.turn()?;
                prop_assert!(scene.healthy() >= floor, "{} of {}", scene.healthy(), floor);
            }
        }
        for _ in 0..300 {
            scene.turn()?;
            prop_assert!(scene.healthy() >= floor.min(scene.wanted()));
        }
        prop_assert!(scene.world.apps[0].rollout.is_none());
        prop_assert_eq!((scene.healthy(), scene.real.len()), (scene.wanted(), scene.wanted()));
    }
}
