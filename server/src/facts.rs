//! What was observed: the agent's last report, the router's counts, and which replicas answered through the entrance.
//! Nothing of it is stored; after a restart it is observed again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::id::ReplicaId;
use model::replica::{HostReport, Phase, ReplicaStatus};
use model::watch::Traffic;
use router::{Backend, GOODBYE};
use tokio::sync::watch;

use crate::doubt::Answers;
use crate::predecessor::Predecessor;

/// How long after it left the table a replica may still get a request that was chosen for it before: a worker of the
/// router may have been put aside between the two.
const LATECOMERS: Duration = Duration::from_millis(250);

/// The facts of this machine, the only host of the fleet.
pub struct Facts {
    report: watch::Receiver<Arc<HostReport>>,
    backends: Mutex<BTreeMap<ReplicaId, Arc<Backend>>>,
    verified: Mutex<BTreeSet<ReplicaId>>,
    left: Mutex<BTreeMap<ReplicaId, Instant>>,
    predecessor: Mutex<Predecessor>,
}

impl Facts {
    /// Observes through the agent's reports.
    #[must_use]
    pub fn new(report: watch::Receiver<Arc<HostReport>>) -> Self {
        Self {
            report,
            backends: Mutex::default(),
            verified: Mutex::default(),
            left: Mutex::default(),
            predecessor: Mutex::default(),
        }
    }

    /// Reckons with what a server of before may still have under way.
    #[must_use]
    pub fn after(self, predecessor: Predecessor) -> Self {
        Self { predecessor: Mutex::new(predecessor), ..self }
    }

    /// Returns the agent's last report.
    #[must_use]
    pub fn report(&self) -> Arc<HostReport> {
        self.report.borrow().clone()
    }

    /// Returns what tells that there is a new report.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<Arc<HostReport>> {
        self.report.clone()
    }

    /// Returns what the agent last said of a replica.
    #[must_use]
    pub fn status(&self, id: ReplicaId) -> Option<ReplicaStatus> {
        status_of(&self.report.borrow(), id).cloned()
    }

    /// Returns how many requests a replica is working on.
    #[must_use]
    pub fn in_flight(&self, id: ReplicaId) -> usize {
        lock(&self.backends).get(&id).map_or(0, |backend| backend.in_flight())
    }

    /// Returns how many of these are `WebSockets` or other tunnels.
    #[must_use]
    pub fn tunnels(&self, id: ReplicaId) -> usize {
        lock(&self.backends).get(&id).map_or(0, |backend| backend.tunnels())
    }

    /// Lets a replica's tunnels go on until `until`, less the moment it takes to close them.
    pub fn leave(&self, id: ReplicaId, until: Timestamp) {
        let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
        if let Some(backend) = lock(&self.backends).get(&id) {
            lock(&self.left).entry(id).or_insert_with(Instant::now);
            backend.leave(Instant::now() + left.saturating_sub(GOODBYE));
        }
    }

    /// Tells whether a replica that left the table has no request any more, and gets none.
    #[must_use]
    pub fn is_quiet(&self, id: ReplicaId) -> bool {
        if !lock(&self.predecessor).is_gone() {
            return false;
        }
        let Some(backend) = lock(&self.backends).get(&id).cloned() else { return true };
        let left = lock(&self.left).get(&id).is_some_and(|left| left.elapsed() >= LATECOMERS);
        left && backend.in_flight() == 0
    }

    /// Returns what a replica was asked through the router since it was last started, and how often it failed.
    #[must_use]
    pub fn traffic(&self, id: ReplicaId) -> Traffic {
        let backends = lock(&self.backends);
        backends.get(&id).map_or_else(Traffic::default, |backend| Traffic {
            requests: backend.requests(),
            errors: backend.server_errors().saturating_add(backend.failed()),
        })
    }

    /// Returns what the router has counted of the answers of each replica.
    #[must_use]
    pub fn answers(&self) -> BTreeMap<ReplicaId, Answers> {
        let answers = |backend: &Arc<Backend>| Answers {
            // In this order, so that no more are answered than were sent.
            answered: backend.answered(),
            requests: backend.requests(),
            waiting: backend.is_waited_for(),
        };
        lock(&self.backends).iter().map(|(id, backend)| (*id, answers(backend))).collect()
    }

    /// Returns the router's view of a replica, made once it has an address; it stays the same as long as the address.
    pub fn backend(&self, status: &ReplicaStatus, name: &str) -> Option<Arc<Backend>> {
        let address = status.address?;
        let mut backends = lock(&self.backends);
        let known = backends.get(&status.id).filter(|backend| backend.address() == address).cloned();
        Some(known.unwrap_or_else(|| {
            let backend = Backend::new(status.id.to_string(), name, address);
            backends.insert(status.id, backend.clone());
            backend
        }))
    }

    /// Tells whether a replica has answered through the entrance since it last became healthy.
    #[must_use]
    pub fn is_verified(&self, id: ReplicaId) -> bool {
        lock(&self.verified).contains(&id)
    }

    /// Notes that a replica answered through the entrance.
    pub fn verify(&self, id: ReplicaId) {
        lock(&self.verified).insert(id);
    }

    /// Forgets what is known of replicas that exist no more, and the entrance of those that are not healthy.
    pub fn keep(&self, existing: &BTreeSet<ReplicaId>) {
        let report = self.report();
        let healthy: BTreeSet<_> =
            report.replicas.iter().filter(|s| s.phase == Phase::Healthy).map(|status| status.id).collect();
        lock(&self.backends).retain(|id, backend| existing.contains(id) || backend.in_flight() > 0);
        lock(&self.left).retain(|id, _| existing.contains(id));
        lock(&self.verified).retain(|id| healthy.contains(id));
    }
}

/// Returns what a report says of a replica; reports are in the order of the ids.
#[must_use]
pub fn status_of(report: &HostReport, id: ReplicaId) -> Option<&ReplicaStatus> {
    let found = report.replicas.binary_search_by_key(&id, |status| status.id).ok()?;
    report.replicas.get(found)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
