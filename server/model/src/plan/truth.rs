//! What is true of the replicas of a history, and what their hosts say of it: reports are lost, repeated and late.

use std::collections::{BTreeMap, BTreeSet};

use super::happening::Delivery;
use super::toy::starting;
use super::*;
use crate::exit::ExitCause;
use crate::replica::Phase;

/// What is true of each replica that runs: its phase, and how often it was restarted.
type Report = BTreeMap<ReplicaId, (Phase, u32)>;

/// What is true, and what of it has arrived.
#[derive(Default)]
pub(super) struct Truth {
    broken: BTreeSet<Version>,
    /// What runs.
    real: Report,
    verified: BTreeSet<ReplicaId>,
    /// Turns that a leaving replica is still busy.
    busy: BTreeMap<ReplicaId, u32>,
    /// All reports so far, by turn.
    sent: Vec<Report>,
    /// The one that arrived last: its turn and itself.
    received: (usize, Report),
    /// The turn in which hosts came back last.
    returned: usize,
    /// The turn in which a replica was told to stop.
    told: BTreeMap<ReplicaId, usize>,
}

impl Truth {
    /// Lets a release never become healthy.
    pub(super) fn break_release(&mut self, version: Version) {
        self.broken.insert(version);
    }

    pub(super) fn is_broken(&self, version: Version) -> bool {
        self.broken.contains(&version)
    }

    /// Returns what is true of a replica; nothing if it does not run.
    pub(super) fn of(&self, id: ReplicaId) -> Option<(Phase, u32)> {
        self.real.get(&id).copied()
    }

    /// Tells whether a replica is healthy in truth.
    pub(super) fn is_up(&self, id: ReplicaId) -> bool {
        self.of(id).is_some_and(|(phase, _)| phase == Phase::Healthy)
    }

    /// Ends these replicas with their host.
    pub(super) fn lose(&mut self, lost: impl Fn(ReplicaId) -> bool) {
        self.real.retain(|id, _| !lost(*id));
    }

    /// Asks a replica through the entrance: it answers if it is healthy.
    pub(super) fn verify(&mut self, id: ReplicaId) {
        if self.is_up(id) {
            self.verified.insert(id);
        }
    }

    /// A replica that leaves is busy for some turns.
    pub(super) fn leave(&mut self, id: ReplicaId) {
        let turns = u32::try_from(id.0.as_u128() % 5).unwrap();
        self.busy.insert(id, turns);
    }

    /// Tells a replica to stop.
    pub(super) fn stop(&mut self, id: ReplicaId) {
        self.told.insert(id, self.sent.len());
    }

    /// Lets the hosts do for a turn what is wished.
    pub(super) fn run(&mut self, world: &World) {
        let on = hosts(world, |standing| standing != Standing::Lost);
        let replicas = &world.apps[0].replicas;
        let known: BTreeSet<_> = replicas.iter().map(|replica| replica.id).collect();
        self.real.retain(|id, _| known.contains(id));
        for replica in replicas.iter().filter(|replica| on.contains(&replica.host)) {
            let bad = self.is_broken(replica.version);
            let after = match (self.of(replica.id), replica.wish) {
                (_, ReplicaWish::Stop) => None,
                (None, _) => Some((Phase::Starting, 0)),
                (Some((_, restarts)), ReplicaWish::Once { .. }) => Some((Phase::Ended, restarts)),
                (Some((_, restarts)), _) if bad => Some((Phase::Backoff, restarts + 1)),
                (Some((_, restarts)), _) => Some((Phase::Healthy, restarts)),
            };
            match after {
                Some(after) => drop(self.real.insert(replica.id, after)),
                None => drop(self.real.remove(&replica.id)),
            }
        }
        self.busy.values_mut().for_each(|turns| *turns = turns.saturating_sub(1));
    }

    /// The turn's reports arrive or not.
    pub(super) fn report(&mut self, delivery: Delivery) {
        self.sent.push(self.real.clone());
        let newest = self.sent.len() - 1;
        let turn = match delivery {
            Delivery::Fresh => Some(newest),
            Delivery::Lost => None,
            Delivery::Old(turns) => Some(newest.saturating_sub(turns).max(self.returned)),
        };
        if let Some(turn) = turn {
            self.received = (turn, self.sent[turn].clone());
        }
    }

    /// Hosts that come back say what they have; what was said before counts no more.
    pub(super) fn return_hosts(&mut self) {
        self.returned = self.sent.len();
        self.report(Delivery::Fresh);
    }

    /// Observes what the last report says, as the reconcile loop does.
    pub(super) fn observe(&mut self, world: &mut World) {
        let (turn, report) = &self.received;
        let is_up = |id: &ReplicaId| report.get(id).is_some_and(|(phase, _)| *phase == Phase::Healthy);
        self.verified.retain(is_up);
        let silent = hosts(world, |standing| standing == Standing::Silent);
        for replica in &mut world.apps[0].replicas {
            let stopping = replica.wish == ReplicaWish::Stop;
            let informed = self.told.get(&replica.id).is_some_and(|told| turn >= told);
            let bad = self.broken.contains(&replica.version);
            replica.seen = match report.get(&replica.id).filter(|_| !silent.contains(&replica.host)) {
                Some((phase, restarts)) => Observation::Seen(Observed {
                    phase: *phase,
                    restarts: *restarts,
                    entrance: self.verified.contains(&replica.id),
                    quiet: self.busy.get(&replica.id).is_none_or(|turns| *turns == 0),
                    exit: matches!(phase, Phase::Ended | Phase::Backoff)
                        .then_some(ExitCause::Code(i32::from(bad))),
                    ..starting()
                }),
                None if stopping && informed && !silent.contains(&replica.host) => Observation::Gone,
                None => Observation::Pending,
            };
        }
    }
}

fn hosts(world: &World, are: impl Fn(Standing) -> bool) -> BTreeSet<HostId> {
    world.hosts.iter().filter(|host| are(host.standing)).map(|host| host.id).collect()
}
