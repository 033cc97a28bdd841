//! Histories for the tests of the plan: anything changes at any time, hosts come and go, reports are lost, repeated and
//! late, and the clock jumps. What the plan sees and what is true are kept apart here.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::happening::{Delivery, Happening};
use super::toy::host;
use super::truth::Truth;
use super::*;
use crate::formation::Scale;
use crate::size::Size;

/// One app with `web` and `worker`, and what is true of it.
pub(super) struct History {
    pub(super) world: World,
    pub(super) now: Timestamp,
    next: u128,
    generation: u64,
    newest: u64,
    truth: Truth,
    pub(super) outcomes: Vec<Result<(), String>>,
}

impl History {
    /// Each host offers room for so many replicas; none: no bound.
    pub(super) fn new(hosts: u128, alone: bool, room: Option<u64>) -> Self {
        let memory_mb = room.map(|replicas| replicas * Size::default().memory_mb());
        let hosts = (1..=hosts).map(|n| HostView { memory_mb, ..host(n) }).collect();
        let worker: ProcessType = "worker".parse().unwrap();
        let scale = |quantity| Scale { quantity, size: Default::default() };
        let app = AppView {
            id: AppId(Uuid::from_u128(1)),
            deleted: false,
            serving: None,
            rollout: None,
            watch: None,
            formation: [(ProcessType::web(), scale(2)), (worker.clone(), scale(1))].into(),
            alone: alone.then_some(worker).into_iter().collect(),
            replicas: Vec::new(),
        };
        Self {
            world: World { apps: vec![app], hosts },
            now: Timestamp::from_second(1_000_000).unwrap(),
            next: 1,
            generation: 0,
            newest: 0,
            truth: Truth::default(),
            outcomes: Vec::new(),
        }
    }

    pub(super) fn app(&mut self) -> &mut AppView {
        &mut self.world.apps[0]
    }

    /// Lets it happen; returns what becomes of this turn's reports.
    pub(super) fn happen(&mut self, happening: &Happening) -> Delivery {
        match *happening {
            Happening::Nothing => {}
            Happening::Report(delivery) => return delivery,
            Happening::Deploy { broken, command } => self.deploy(broken, command),
            Happening::Restart => {
                if let (Some(serving), None) = (self.app().serving.clone(), self.app().rollout.as_ref()) {
                    self.roll_out(serving.version.0, &serving.types.clone(), RolloutPhase::Rolling);
                }
            }
            Happening::Scale { web, quantity } => {
                let process = if web { "web" } else { "worker" };
                self.app().formation.get_mut(process).unwrap().quantity = quantity;
            }
            Happening::Replace(index) => {
                let count = self.world.apps[0].replicas.len().max(1);
                if let Some(replica) = self.app().replicas.get_mut(index % count) {
                    replica.replace = true;
                }
            }
            Happening::LoseHost(index) => self.lose_host(index),
            Happening::DrainHost(index) => self.set_standing(index, Standing::Draining),
            Happening::SilenceHost(index) => self.set_standing(index, Standing::Silent),
            Happening::ReturnHosts => self.return_hosts(),
            Happening::ClockJumps(seconds) => self.now += SignedDuration::from_secs(seconds),
        }
        Delivery::Fresh
    }

    fn lose_host(&mut self, index: usize) {
        let count = self.world.hosts.len();
        let host = &mut self.world.hosts[index % count];
        host.standing = Standing::Lost;
        let lost = host.id;
        let replicas = &self.world.apps[0].replicas;
        self.truth.lose(|id| replicas.iter().any(|replica| replica.id == id && replica.host == lost));
    }

    /// One that is lost is so until all hosts return.
    fn set_standing(&mut self, index: usize, standing: Standing) {
        let count = self.world.hosts.len();
        let host = &mut self.world.hosts[index % count];
        if host.standing != Standing::Lost {
            host.standing = standing;
        }
        self.truth.observe(&mut self.world);
    }

    /// A host is taken for ready only once it has said what it has.
    fn return_hosts(&mut self) {
        self.world.hosts.iter_mut().for_each(|host| host.standing = Standing::Ready);
        self.truth.return_hosts();
        self.truth.observe(&mut self.world);
    }

    fn deploy(&mut self, broken: bool, command: bool) {
        self.newest += 1;
        if broken {
            self.truth.break_release(Version(self.newest));
        }
        let mut types: BTreeSet<ProcessType> = [ProcessType::web(), "worker".parse().unwrap()].into();
        types.extend(command.then(ProcessType::release));
        let phase = if command { RolloutPhase::ReleaseCommand } else { RolloutPhase::Rolling };
        self.roll_out(self.newest, &types, phase);
    }

    fn roll_out(&mut self, version: u64, types: &BTreeSet<ProcessType>, phase: RolloutPhase) {
        self.generation += 1;
        self.next += 1;
        let target = Target { version: Version(version), generation: self.generation, types: types.clone() };
        let (operation, deadline) =
            (OperationId(Uuid::from_u128(self.next)), self.now + SignedDuration::from_secs(300));
        self.app().rollout = Some(Rollout { operation, target, phase, deadline, boot_seconds: 60 });
    }

    /// Carries one action out.
    pub(super) fn act(&mut self, action: &Action) {
        let until = self.now + SignedDuration::from_secs(30);
        match action {
            Action::Create(new) => self.create(new),
            Action::Verify(id) => self.truth.verify(*id),
            Action::Drain(id) => {
                self.truth.leave(*id);
                self.wish(*id, ReplicaWish::Drain { until });
            }
            Action::Stop(id) => {
                self.truth.stop(*id);
                self.wish(*id, ReplicaWish::Stop);
            }
            Action::Forget(id) => self.app().replicas.retain(|replica| replica.id != *id),
            Action::Advance(_) => self.app().rollout.as_mut().unwrap().phase = RolloutPhase::Rolling,
            Action::Switch(_) => {
                let rollout = self.app().rollout.take().unwrap();
                self.app().serving = Some(rollout.target);
                self.outcomes.push(Ok(()));
            }
            Action::Fail(_, reason) => {
                self.app().rollout = None;
                self.outcomes.push(Err(reason.clone()));
            }
            Action::EndWatch(_) | Action::Revert(..) => self.app().watch = None,
        }
    }

    fn create(&mut self, new: &NewReplica) {
        self.next += 1;
        let view = ReplicaView::created(new.clone(), ReplicaId(Uuid::from_u128(self.next)), self.now);
        self.app().replicas.push(view);
    }

    fn wish(&mut self, id: ReplicaId, wish: ReplicaWish) {
        if let Some(replica) = self.app().replicas.iter_mut().find(|replica| replica.id == id) {
            replica.wish = wish;
        }
    }

    /// Lets a second pass on the hosts, and their reports arrive or not.
    pub(super) fn pass(&mut self, delivery: Delivery) {
        self.now += SignedDuration::from_secs(1);
        self.truth.run(&self.world);
        self.truth.report(delivery);
        self.truth.observe(&mut self.world);
    }

    /// Returns the replicas as they are wished, observed and true, for a test that fails.
    pub(super) fn describe(&self) -> String {
        let app = &self.world.apps[0];
        let line = |r: &ReplicaView| {
            let (id, seen, real) =
                (r.id.0.as_u128(), r.observed().map(|seen| seen.phase), self.truth.of(r.id));
            let (host, wish) = (r.host.0.as_u128(), r.wish);
            format!(
                "{id} {} {} {} host {host} {wish:?} replace {} seen {seen:?} real {real:?}\n",
                r.name(),
                r.version,
                r.generation,
                r.replace
            )
        };
        let lines: String = app.replicas.iter().map(line).collect();
        format!("serving {:?}, formation {:?}\n{lines}", app.serving.as_ref().map(Target::key), app.formation)
    }

    /// Returns how many replicas of a type could serve in truth: healthy, not leaving, and of what serves or older.
    pub(super) fn capacity(&self, process: &str) -> usize {
        let app = &self.world.apps[0];
        let serving = app.serving.as_ref().map(Target::key);
        let counts = |replica: &&ReplicaView| {
            replica.process.as_str() == process
                && replica.wish == ReplicaWish::Run
                && Some((replica.version, replica.generation)) <= serving
                && self.truth.is_up(replica.id)
        };
        app.replicas.iter().filter(counts).count()
    }

    /// Returns how many of the replicas that requests are sent to are healthy in truth.
    pub(super) fn routed(&self) -> usize {
        self.world.apps[0].routed().iter().filter(|replica| self.truth.is_up(replica.id)).count()
    }

    pub(super) fn serves_broken(&self) -> bool {
        self.world.apps[0].serving.as_ref().is_some_and(|serving| self.truth.is_broken(serving.version))
    }

    pub(super) fn wanted(&self, process: &str) -> usize {
        self.world.apps[0].formation[process].quantity as usize
    }

    /// Returns how many replicas of a type may be at work in truth, by what they run.
    pub(super) fn at_work(&self, process: &str) -> BTreeSet<(Version, u64)> {
        let there = self.world.apps[0].replicas.iter().filter(|replica| replica.process.as_str() == process);
        there.filter(|r| self.truth.of(r.id).is_some()).map(|r| (r.version, r.generation)).collect()
    }
}
