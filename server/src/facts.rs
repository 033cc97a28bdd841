//! What was observed: the last report of each host, the router's counts, and which replicas answered through the
//! entrance. Nothing of it is stored; after a restart it is observed again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::id::{HostId, ReplicaId};
use model::metrics::Visits;
use model::replica::{HostReport, Phase, ReplicaStatus};
use model::watch::Traffic;
use router::{Backend, GOODBYE};
use tokio::sync::watch;

use crate::balancers::Witness;
use crate::doubt::Answers;
use crate::notices::Notices;
use crate::predecessor::Predecessor;
use crate::reports::{Heard, Reports, status_of};
use crate::routers::Routers;

/// How long after it left the table a replica may still get a request that was chosen for it before: a worker of the
/// router may have been put aside between the two.
const LATECOMERS: Duration = Duration::from_millis(250);

/// A host is heard of every two seconds; one that was not for this long may have been taken for silent.
const LATE: Duration = Duration::from_secs(3);

/// Where a replica listens on its host, and the entry of that host if it is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it listens there.
    pub address: SocketAddr,
    /// The entry it is reached through.
    pub entry: Option<SocketAddr>,
}

/// The facts of all hosts.
pub struct Facts {
    here: HostId,
    report: watch::Receiver<Arc<HostReport>>,
    elsewhere: Mutex<BTreeMap<HostId, Heard>>,
    news: watch::Sender<u64>,
    backends: Mutex<BTreeMap<ReplicaId, (Place, Arc<Backend>)>>,
    verified: Mutex<BTreeSet<ReplicaId>>,
    left: Mutex<BTreeMap<ReplicaId, Instant>>,
    predecessor: Mutex<Predecessor>,
    witness: Option<Arc<Witness>>,
    /// What the routers of other servers have under way.
    pub routers: Routers,
    /// Which hosts are taken back.
    pub notices: Notices,
}

impl Facts {
    /// Observes this machine, the host `here`, through its agent's reports; other hosts are told of.
    #[must_use]
    pub fn new(here: HostId, report: watch::Receiver<Arc<HostReport>>) -> Self {
        Self {
            here,
            report,
            elsewhere: Mutex::default(),
            news: watch::Sender::default(),
            backends: Mutex::default(),
            verified: Mutex::default(),
            left: Mutex::default(),
            predecessor: Mutex::default(),
            witness: None,
            routers: Routers::default(),
            notices: Notices::default(),
        }
    }

    /// Reckons with what a server of before may still have under way.
    #[must_use]
    pub fn after(self, predecessor: Predecessor) -> Self {
        Self { predecessor: Mutex::new(predecessor), ..self }
    }

    /// Goes by the word of load balancers, if visitors come through any.
    #[must_use]
    pub fn witnessed(self, witness: Option<Arc<Witness>>) -> Self {
        Self { witness, ..self }
    }

    /// Returns the load balancers' word, if visitors come through any.
    #[must_use]
    pub fn witness(&self) -> Option<&Arc<Witness>> {
        self.witness.as_ref()
    }

    /// Returns the host that this server's own agent is of.
    #[must_use]
    pub fn here(&self) -> HostId {
        self.here
    }

    /// Takes note that another host was heard of now, with a report and its number, or without: then its last one still
    /// holds. Returns the number of the last report; nothing if there is none.
    pub fn hear(&self, host: HostId, report: Option<(u64, HostReport)>) -> Option<u64> {
        let at = Instant::now();
        let mut elsewhere = lock(&self.elsewhere);
        let before = elsewhere.get(&host).map(|heard| heard.number);
        // What took a longer way than the one after it says nothing new.
        let report = report.filter(|(number, _)| before.is_none_or(|before| before < *number));
        let is_news = match (report, elsewhere.get_mut(&host)) {
            (None, None) => return None,
            (Some((number, report)), None) => {
                elsewhere.insert(host, Heard { report: Arc::new(report), number, at });
                true
            }
            (report, Some(heard)) => {
                // That nothing changed is news only of one that was late.
                let was_late = at.duration_since(std::mem::replace(&mut heard.at, at)) >= LATE;
                let differs = report.is_some_and(|(number, report)| {
                    let differs = !report.is_but_for_use(&heard.report);
                    (heard.number, heard.report) = (number, Arc::new(report));
                    differs
                });
                was_late || differs
            }
        };
        let number = elsewhere.get(&host).map(|heard| heard.number);
        drop(elsewhere);
        if is_news {
            self.wake();
        }
        number
    }

    /// Forgets what was heard of a host that is no more.
    pub fn forget(&self, host: HostId) {
        lock(&self.elsewhere).remove(&host);
        self.notices.forget(host);
    }

    /// Returns the last report of this machine's agent.
    #[must_use]
    pub fn report(&self) -> Arc<HostReport> {
        self.report.borrow().clone()
    }

    /// Returns what tells that this machine's agent has a new report.
    #[must_use]
    pub fn own_reports(&self) -> watch::Receiver<Arc<HostReport>> {
        self.report.clone()
    }

    /// Returns the last reports of all hosts. This machine is heard of at any time.
    #[must_use]
    pub fn reports(&self) -> Reports {
        let mut heard = lock(&self.elsewhere).clone();
        heard.insert(self.here, Heard { report: self.report(), number: 0, at: Instant::now() });
        Reports::new(heard)
    }

    /// Returns what tells that there is a new report of any host.
    #[must_use]
    pub fn news(&self) -> News {
        News { here: self.report.clone(), elsewhere: self.news.subscribe() }
    }

    /// Returns what a host last said of a replica.
    #[must_use]
    pub fn status(&self, host: HostId, id: ReplicaId) -> Option<ReplicaStatus> {
        if host == self.here {
            return status_of(&self.report.borrow(), id).cloned();
        }
        status_of(&lock(&self.elsewhere).get(&host)?.report, id).cloned()
    }

    fn known(&self, id: ReplicaId) -> Option<Arc<Backend>> {
        lock(&self.backends).get(&id).map(|(_, backend)| backend.clone())
    }

    /// Returns how many requests a replica is working on.
    #[must_use]
    pub fn in_flight(&self, id: ReplicaId) -> usize {
        self.known(id).map_or(0, |backend| backend.in_flight())
    }

    /// Returns how many of these are `WebSockets` or other tunnels.
    #[must_use]
    pub fn tunnels(&self, id: ReplicaId) -> usize {
        self.known(id).map_or(0, |backend| backend.tunnels())
    }

    /// Lets a replica's tunnels go on until `until`, less the moment it takes to close them.
    pub fn leave(&self, id: ReplicaId, until: Timestamp) {
        self.routers.leave(id);
        let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
        if let Some(backend) = self.known(id) {
            lock(&self.left).entry(id).or_insert_with(Instant::now);
            backend.leave(Instant::now() + left.saturating_sub(GOODBYE));
        }
    }

    /// Tells whether a replica that left the table has no request any more, and gets none.
    #[must_use]
    pub fn is_quiet(&self, id: ReplicaId) -> bool {
        let let_go = self.witness.as_ref().is_none_or(|witness| witness.has_let_go(id));
        let_go && self.is_quiet_here(id) && self.routers.have_let_go(id)
    }

    /// Tells whether replicas are leaving.
    #[must_use]
    pub fn has_leaving(&self) -> bool {
        !lock(&self.left).is_empty()
    }

    /// Returns the replicas that leave and have requests of this server's router.
    #[must_use]
    pub fn busy(&self) -> BTreeSet<ReplicaId> {
        let left: Vec<ReplicaId> = lock(&self.left).keys().copied().collect();
        left.into_iter().filter(|id| !self.is_quiet_here(*id)).collect()
    }

    fn is_quiet_here(&self, id: ReplicaId) -> bool {
        if !lock(&self.predecessor).is_gone() {
            return false;
        }
        let Some(backend) = self.known(id) else { return true };
        let left = lock(&self.left).get(&id).is_some_and(|left| left.elapsed() >= LATECOMERS);
        left && backend.in_flight() == 0
    }

    /// Returns what a replica was asked through the router since it was last started, and how often it failed.
    #[must_use]
    pub fn traffic(&self, id: ReplicaId) -> Traffic {
        self.known(id).map_or_else(Traffic::default, |backend| Traffic {
            requests: backend.requests(),
            errors: backend.server_errors().saturating_add(backend.failed()),
        })
    }

    /// Returns how many visitors' requests the router has counted for each replica, and how many of them were errors.
    #[must_use]
    pub fn visits(&self) -> Vec<(ReplicaId, Visits)> {
        let visits = |backend: &Backend| {
            let (requests, errors) = backend.visits();
            Visits { requests, errors }
        };
        lock(&self.backends).iter().map(|(id, (_, backend))| (*id, visits(backend))).collect()
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
        lock(&self.backends).iter().map(|(id, (_, backend))| (*id, answers(backend))).collect()
    }

    /// Returns the router's view of a replica; `make` makes it, once for each place where the replica is.
    pub fn backend(
        &self,
        id: ReplicaId,
        place: Place,
        make: impl FnOnce() -> Option<Arc<Backend>>,
    ) -> Option<Arc<Backend>> {
        let mut backends = lock(&self.backends);
        let known = backends.get(&id).filter(|(known, _)| *known == place);
        if let Some((_, backend)) = known {
            return Some(backend.clone());
        }
        let backend = make()?;
        backends.insert(id, (place, backend.clone()));
        Some(backend)
    }

    /// Tells whether a replica has answered through the entrance since it last became healthy; where visitors come through load
    /// balancers, whether these find it healthy.
    #[must_use]
    pub fn is_verified(&self, id: ReplicaId) -> bool {
        match &self.witness {
            Some(witness) => witness.finds_healthy(id),
            None => lock(&self.verified).contains(&id),
        }
    }

    /// Returns why visitors do not reach a replica that its host finds healthy, as the predicate of a sentence.
    #[must_use]
    pub fn beyond_reach(&self, id: ReplicaId) -> Option<String> {
        self.witness.as_ref()?.reason(id)
    }

    /// Notes that a replica answered through the entrance.
    pub fn verify(&self, id: ReplicaId) {
        lock(&self.verified).insert(id);
    }

    /// Wakes who waits for reports: something else was observed.
    pub fn wake(&self) {
        self.news.send_modify(|n| *n += 1);
    }

    /// Forgets what is known of replicas that exist no more, and the entrance of those that are not healthy.
    pub fn keep(&self, existing: &BTreeSet<ReplicaId>) {
        let reports = self.reports();
        let healthy = |(_, status): &(HostId, &ReplicaStatus)| status.phase == Phase::Healthy;
        let healthy: BTreeSet<_> = reports.replicas().filter(healthy).map(|(_, status)| status.id).collect();
        lock(&self.backends).retain(|id, (_, backend)| existing.contains(id) || backend.in_flight() > 0);
        self.routers.keep(existing);
        lock(&self.left).retain(|id, _| existing.contains(id));
        lock(&self.verified).retain(|id| healthy.contains(id));
    }
}

/// Waits for reports.
pub struct News {
    here: watch::Receiver<Arc<HostReport>>,
    elsewhere: watch::Receiver<u64>,
}

impl News {
    /// Returns after the next report.
    ///
    /// # Errors
    /// The agent of this machine has ended.
    pub async fn next(&mut self) -> Result<(), watch::error::RecvError> {
        tokio::select! {
            changed = self.here.changed() => changed,
            changed = self.elsewhere.changed() => changed,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
