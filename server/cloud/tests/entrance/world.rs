//! Apps whose replicas come and go, as a server sees them that asks the plan and obeys it only where the balancers agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::entrance::{Check, Entrance, Manners, Outcome, Shown, Wanted};
use jiff::{SignedDuration, Timestamp};
use model::app::AppSettings;
use model::entrance::{Limits, Target, TargetHealth, serves};
use model::formation::Scale;
use model::id::{AppId, HostId, OperationId, ReplicaId};
use model::name::{Hostname, ProcessType};
use model::plan::{
    Action, AppView, HostView, NewReplica, Observation, Observed, ReplicaView, ReplicaWish, Rollout,
    RolloutPhase, Standing, World as Plans, plan,
};
use model::release::Version;
use model::replica::Phase;
use uuid::Uuid;

use crate::made_up::MadeUp;

/// Turns after which all that time alone brings about has come about.
pub(crate) const REST: usize = 160;

/// How long a replica boots.
const BOOT: SignedDuration = SignedDuration::from_secs(2);

pub(crate) struct World {
    pub(crate) sky: MadeUp,
    pub(crate) plans: Plans,
    pub(crate) names: BTreeMap<AppId, BTreeSet<Hostname>>,
    pub(crate) settings: AppSettings,
    pub(crate) limits: Limits,
    pub(crate) outcome: Outcome,
    pub(crate) died: usize,
    pub(crate) unheard: bool,
    pub(crate) strays: BTreeSet<model::instances::InstanceId>,
    hands: Entrance,
    ports: BTreeMap<ReplicaId, u16>,
    next: u128,
}

fn instance(host: HostId) -> String {
    format!("i-{:x}", host.0.as_u128())
}

impl World {
    pub(crate) fn new(apps: u128) -> Self {
        let sky = MadeUp::default();
        sky.sky().now = Timestamp::from_second(1_000_000).unwrap();
        sky.sky().balancers = vec!["paas-test".to_owned()];
        let settings = AppSettings { drain_seconds: 5, ..AppSettings::default() };
        let limits = Limits::default();
        let host = |n: u128| HostView {
            id: HostId(Uuid::from_u128(n)),
            zone: format!("zone-{n}"),
            standing: Standing::Ready,
            memory_mb: None,
            cpu_millicores: None,
        };
        let mut world = Self {
            hands: Entrance::new(Arc::new(sky.clone()), "test", limits),
            sky,
            plans: Plans { apps: Vec::new(), hosts: (1..=3).map(host).collect() },
            names: BTreeMap::new(),
            settings,
            limits,
            outcome: Outcome::default(),
            died: 0,
            unheard: false,
            strays: BTreeSet::new(),
            ports: BTreeMap::new(),
            next: 1,
        };
        (1..=apps).for_each(|n| world.add_app(n));
        world
    }

    pub(crate) fn add_app(&mut self, n: u128) {
        let id = AppId(Uuid::from_u128(n));
        self.plans.apps.push(AppView {
            id,
            deleted: false,
            serving: None,
            rollout: None,
            watch: None,
            formation: [(ProcessType::web(), Scale { quantity: 2, size: Default::default() })].into(),
            alone: BTreeSet::new(),
            replicas: Vec::new(),
        });
        self.names.insert(id, [format!("a{n}.example.com").parse().unwrap()].into());
        let at = self.plans.apps.len() - 1;
        self.deploy(at);
    }

    pub(crate) fn deploy(&mut self, at: usize) {
        self.next += 1;
        let n = u64::try_from(self.next).unwrap();
        let target =
            model::plan::Target { version: Version(n), generation: n, types: [ProcessType::web()].into() };
        let deadline = self.now() + SignedDuration::from_mins(30);
        let (operation, phase) = (OperationId(Uuid::from_u128(self.next)), RolloutPhase::Rolling);
        self.plans.apps[at].rollout = Some(Rollout { operation, target, phase, deadline, boot_seconds: 900 });
    }

    pub(crate) fn scale(&mut self, at: usize, quantity: u32) {
        self.plans.apps[at].formation.get_mut("web").unwrap().quantity = quantity;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.sky.sky().now
    }

    /// Another server takes over, which knows nothing but the wishes.
    pub(crate) fn restart(&mut self) {
        self.hands = Entrance::new(Arc::new(self.sky.clone()), "test", self.limits);
        self.outcome = Outcome::default();
    }

    pub(crate) fn target(&self, replica: &ReplicaView) -> Option<Target> {
        let port = *self.ports.get(&replica.id)?;
        Some(Target { instance: instance(replica.host).parse().unwrap(), port })
    }

    fn wanted(&self) -> Wanted {
        let replicas = || self.plans.apps.iter().flat_map(|app| &app.replicas);
        let told = |replica: &&ReplicaView| !self.unheard && replica.seen != Observation::Gone;
        let instances: BTreeSet<_> =
            self.plans.hosts.iter().map(|host| instance(host.id).parse().unwrap()).collect();
        let shown = |view: &AppView| Shown {
            name: format!("a{}", view.id.0.as_u128()),
            view: view.clone(),
            hosts: self.names[&view.id].clone(),
            check: Check::of(&self.settings),
            manners: Manners::of(&self.settings),
            closed: self.settings.maintenance,
        };
        Wanted {
            apps: self.plans.apps.iter().map(shown).collect(),
            targets: replicas().filter(told).map(|replica| (replica.id, self.target(replica))).collect(),
            questioned: if self.unheard { instances.clone() } else { BTreeSet::new() },
            unheard: if self.unheard { instances.clone() } else { BTreeSet::new() },
            strays: self.strays.clone(),
            instances,
        }
    }

    /// Lets a second pass and takes one turn of it all.
    pub(crate) async fn turn(&mut self) {
        self.sky.sky().pass(1);
        self.observe();
        let (wanted, now, died) = (self.wanted(), self.now(), self.sky.died.clone());
        let outcome = tokio::select! {
            outcome = self.hands.turn(&wanted, now, &|| true) => Some(outcome),
            () = died.notified() => None,
        };
        match outcome {
            Some(outcome) => self.outcome = outcome,
            None => {
                self.died += 1;
                self.restart();
            }
        }
        self.observe();
        for action in plan(&self.plans, now).actions {
            self.act(action);
        }
    }

    pub(crate) async fn settle(&mut self) {
        for _ in 0..REST {
            self.turn().await;
        }
    }

    fn observe(&mut self) {
        let (now, outcome) = (self.now(), self.outcome.clone());
        for replica in self.plans.apps.iter_mut().flat_map(|app| &mut app.replicas) {
            let up = now.duration_since(replica.created_at) >= BOOT;
            if up && !self.ports.contains_key(&replica.id) {
                self.ports.insert(replica.id, u16::try_from(self.ports.len()).unwrap() + 20_000);
            }
            let health = outcome.words.get(&replica.id).and_then(|word| word.health.as_ref());
            replica.seen = match replica.wish {
                ReplicaWish::Stop => Observation::Gone,
                _ if self.unheard => Observation::Pending,
                _ => Observation::Seen(Observed {
                    phase: if up { Phase::Healthy } else { Phase::Starting },
                    restarts: 0,
                    entrance: serves(up, health),
                    since: replica.created_at,
                    quiet: outcome.let_go.contains(&replica.id),
                    traffic: Default::default(),
                    exit: None,
                    reason: None,
                }),
            };
        }
    }

    fn act(&mut self, action: Action) {
        let app_of = |world: &Self, id: ReplicaId| {
            world.plans.apps.iter().position(|app| app.replicas.iter().any(|r| r.id == id)).unwrap()
        };
        match action {
            Action::Create(new) => self.create(new),
            // Of what the balancers were not asked yet nothing leaves.
            Action::Drain(id) => {
                let at = app_of(self, id);
                if self.outcome.listed.contains(&self.plans.apps[at].id) {
                    self.wish(at, id, ReplicaWish::Drain { until: Timestamp::MAX });
                }
            }
            Action::Stop(id) => {
                let at = app_of(self, id);
                if self.outcome.let_go.contains(&id) {
                    self.no_target(at, id);
                    self.wish(at, id, ReplicaWish::Stop);
                }
            }
            Action::Forget(id) => {
                let at = app_of(self, id);
                self.plans.apps[at].replicas.retain(|replica| replica.id != id);
            }
            Action::Switch(id) => {
                let running = |app: &&mut AppView| app.rollout.as_ref().is_some_and(|r| r.operation == id);
                let app = self.plans.apps.iter_mut().find(running).unwrap();
                app.serving = app.rollout.take().map(|rollout| rollout.target);
            }
            Action::Verify(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Checks that no balancer sends requests to a replica that is stopped.
    fn no_target(&self, at: usize, id: ReplicaId) {
        let replica = self.plans.apps[at].replicas.iter().find(|replica| replica.id == id).unwrap();
        let Some(target) = self.target(replica) else { return };
        for made in self.sky.sky().groups.values() {
            assert!(!made.targets.contains_key(&target), "{} is stopped as a target", replica.name());
        }
    }

    fn create(&mut self, new: NewReplica) {
        self.next += 1;
        let replica = ReplicaView::created(new.clone(), ReplicaId(Uuid::from_u128(self.next)), self.now());
        let app = self.plans.apps.iter_mut().find(|app| app.id == new.app).unwrap();
        app.replicas.push(replica);
    }

    fn wish(&mut self, at: usize, id: ReplicaId, wish: ReplicaWish) {
        self.plans.apps[at].replicas.iter_mut().find(|replica| replica.id == id).unwrap().wish = wish;
    }

    /// Returns how many replicas answer a name.
    pub(crate) fn answering(&self, name: &str) -> usize {
        self.sky.sky().asked(name).len()
    }

    /// Checks that exactly what is wanted exists.
    pub(crate) fn is_whole(&self) {
        let sky = self.sky.sky();
        assert_eq!(self.outcome.alarms, []);
        assert_eq!(sky.groups.len(), self.plans.apps.len(), "groups");
        let ours = sky.rules.values().flatten().filter(|(rule, _)| rule.ours).count();
        assert_eq!(ours, self.plans.apps.len(), "rules");
        for app in &self.plans.apps {
            let made = sky.groups.values().find(|made| made.group.app == Some(app.id)).unwrap();
            assert_eq!(
                (&made.group.check, made.manners),
                (&Check::of(&self.settings), Manners::of(&self.settings))
            );
            let ours = |target: &&Target| target.port >= 20_000;
            let targets: BTreeSet<&Target> = made.targets.keys().filter(ours).collect();
            let running: Vec<Target> =
                app.replicas.iter().map(|replica| self.target(replica).unwrap()).collect();
            assert_eq!(targets, running.iter().collect(), "targets");
            assert!(made.targets.values().all(|(health, _)| *health == TargetHealth::Healthy));
            assert_eq!(running.len(), app.formation["web"].quantity as usize, "{app:#?} {:#?}", self.outcome);
            assert!(app.rollout.is_none());
            for name in &self.names[&app.id] {
                assert_eq!(sky.asked(name.as_str()).len(), made.targets.len(), "{}", name.as_str());
            }
        }
    }
}
