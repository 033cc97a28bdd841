//! An engine that runs nothing: what is wished for is starting, then healthy, and what is to stop has ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use model::id::ReplicaId;
use model::replica::{CpuUse, HostDesired, HostReport, Phase, ReplicaSpec, ReplicaStatus, Wish};
use tokio::sync::watch;

use super::Manner;
use super::journal::Journal;

/// Memory of each replica, in bytes.
const MEMORY: u64 = 50 << 20;

/// The ports of replicas that have one each, as an agent has them behind load balancers.
const PORTS: (u16, u16) = (20_000, 10_000);

/// A replica that is pretended to run.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) spec: ReplicaSpec,
    pub(crate) status: ReplicaStatus,
}

impl Running {
    pub(crate) fn is_healthy(&self) -> bool {
        self.status.phase == Phase::Healthy
    }
}

#[derive(Default)]
struct State {
    order: (u64, u64),
    replicas: BTreeMap<ReplicaId, Running>,
}

/// The engine of one host.
pub(crate) struct Engine {
    state: Mutex<State>,
    reports: watch::Sender<Arc<HostReport>>,
    /// Where whatever runs answers.
    answers: SocketAddr,
    manner: Manner,
    started: AtomicU16,
    journal: Arc<Journal>,
}

impl Engine {
    pub(crate) fn new(answers: SocketAddr, manner: Manner, journal: Arc<Journal>) -> Self {
        let (state, reports) = (Mutex::default(), watch::Sender::default());
        Self { state, reports, answers, manner, started: AtomicU16::new(0), journal }
    }

    pub(crate) fn reports(&self) -> watch::Receiver<Arc<HostReport>> {
        self.reports.subscribe()
    }

    pub(crate) fn running(&self) -> Vec<Running> {
        self.lock().replicas.values().cloned().collect()
    }

    /// Returns where a replica listens, if it is here.
    pub(crate) fn place(&self, replica: ReplicaId) -> Option<SocketAddr> {
        self.lock().replicas.get(&replica)?.status.address
    }

    /// Does what is wished, unless it knows of later wishes. What is new begins to boot.
    pub(crate) fn desire(self: &Arc<Self>, desired: HostDesired) {
        let mut state = self.lock();
        if desired.order() < state.order {
            return;
        }
        state.order = desired.order();
        let mut before = std::mem::take(&mut state.replicas);
        let mut fresh = Vec::new();
        for spec in desired.replicas {
            let running = match before.remove(&spec.id) {
                Some(running) => Running { spec, ..running },
                None => {
                    self.journal.arrived(&spec);
                    fresh.push(spec.id);
                    self.started(spec)
                }
            };
            state.replicas.insert(running.spec.id, running);
        }
        for running in state.replicas.values_mut().filter(|running| running.spec.wish == Wish::Stop) {
            running.enter(Phase::Ended);
        }
        self.tell(&state);
        drop(state);
        if !fresh.is_empty() {
            let engine = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(engine.manner.boot).await;
                engine.booted(&fresh);
            });
        }
    }

    /// Uses some processor time in each replica, and says so.
    pub(crate) fn measure(&self) {
        let mut state = self.lock();
        for running in state.replicas.values_mut().filter(|running| running.is_healthy()) {
            let used_ms = running.status.cpu.map_or(0, |cpu| cpu.used_ms) + 100;
            running.status.cpu = Some(CpuUse { used_ms, millicores: Some(10) });
        }
        self.tell(&state);
    }

    fn booted(&self, replicas: &[ReplicaId]) {
        let mut state = self.lock();
        for id in replicas {
            if let Some(running) = state.replicas.get_mut(id)
                && running.status.phase == Phase::Starting
            {
                running.enter(Phase::Healthy);
            }
        }
        self.tell(&state);
    }

    fn started(&self, spec: ReplicaSpec) -> Running {
        let mut address = self.answers;
        if self.manner.own_ports {
            address.set_port(PORTS.0 + self.started.fetch_add(1, Relaxed) % PORTS.1);
        }
        let status = ReplicaStatus {
            id: spec.id,
            role: Some(spec.role()),
            phase: Phase::Starting,
            since: Timestamp::now(),
            address: Some(address),
            restarts: 0,
            last_exit: None,
            probe: None,
            silent: false,
            memory_bytes: Some(MEMORY),
            cpu: None,
        };
        Running { spec, status }
    }

    fn tell(&self, state: &State) {
        let (term, generation) = state.order;
        let replicas = state.replicas.values().map(|running| running.status.clone()).collect();
        let report = Arc::new(HostReport { term, generation, replicas, ..HostReport::default() });
        self.reports.send_if_modified(|last| std::mem::replace(last, report.clone()) != report);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn enter(&mut self, phase: Phase) {
        if self.status.phase != phase {
            (self.status.phase, self.status.since) = (phase, Timestamp::now());
        }
    }
}
