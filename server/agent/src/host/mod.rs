//! The loop of one host: takes note of what happened, decides what to do, has it done, and reports.
//!
//! It alone holds the state; steps and watches run as tasks of their own and tell it what came of them, so that
//! one that hangs holds up no other.

mod adoption;
mod changes;
mod collection;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use model::exit::Exit;
use model::id::ReplicaId;
use model::keep::{Belonging, HostGarbage};
use model::replica::{HostDesired, HostReport, Phase, Wish};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::converge::{self, Step};
use crate::engine::{Engine, EngineError, Usage};
use crate::health_watch::Felt;
use crate::journal::Journal;
use crate::machine::{Look, Machine};
use crate::minutes::Minutes;
use crate::ports::Ports;
use crate::replica::Replica;
use crate::replica_dir::ReplicaDir;
use crate::seal::{DesiredFile, Seal};
use crate::words;

/// How often memory and processor time are measured and sentences about the host are renewed.
const MEASURE: Duration = Duration::from_secs(10);
/// How often the engine's belongings are looked at.
const COLLECT: Duration = Duration::from_secs(600);
/// The longest time without a look at everything, in case a clock jumped.
const LOOK: Duration = Duration::from_secs(60);
/// Most events that wait.
const EVENTS: usize = 1024;

/// What a task of the host has to tell.
pub(crate) enum Event {
    /// A step is done, or failed.
    Done(Step, Result<(), EngineError>),
    /// A run ended. Runs are numbered, so that what is told of an earlier one does not count for a later one.
    Ended(ReplicaId, u32, Exit),
    /// The health of a run changed.
    Felt(ReplicaId, u32, Felt),
    /// Somebody sees no answers from these.
    Doubted(Vec<ReplicaId>),
    /// All that run are to be killed, to see what comes of it.
    Drill,
    /// What each replica that runs uses, and when that was looked up; and what the machine does.
    Measured(Vec<(ReplicaId, Usage, Instant)>, Look),
    /// What nobody needs is to be looked for now.
    Collect,
    /// What the engine has on the host.
    Belongs(Vec<Belonging>),
}

/// What a host is made of.
pub(crate) struct Parts {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) replicas_dir: PathBuf,
    pub(crate) probe_ip: IpAddr,
    pub(crate) ports: Ports,
    pub(crate) journal: Journal,
    pub(crate) seal: Arc<dyn Seal>,
    pub(crate) desired_file: DesiredFile,
    pub(crate) minutes: Arc<Minutes>,
}

/// The state of one host.
pub(crate) struct Host {
    parts: Parts,
    /// Nothing until the control plane has spoken for the first time: then nothing is started or stopped.
    desired: Option<HostDesired>,
    replicas: BTreeMap<ReplicaId, Replica>,
    events: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    reports: watch::Sender<Arc<HostReport>>,
    degraded: Vec<String>,
    /// What was found that nobody needs.
    garbage: Vec<HostGarbage>,
    /// What the machine has in use.
    machine: Machine,
    /// Ends every task of this host when it is dropped.
    tasks: CancellationToken,
}

impl Host {
    /// Returns a host with what was found on it; its first report is out.
    pub(crate) async fn start(
        parts: Parts,
        tasks: CancellationToken,
    ) -> Result<(Self, watch::Receiver<Arc<HostReport>>), EngineError> {
        let desired = parts.desired_file.read(parts.seal.as_ref());
        let (reports, receiver) = watch::channel(Arc::default());
        let degraded = parts.engine.degraded();
        let (replicas, events) = (BTreeMap::new(), mpsc::channel(EVENTS));
        let (garbage, machine) = (Vec::new(), Machine::default());
        let mut host = Self { parts, desired, replicas, events, reports, degraded, garbage, machine, tasks };
        if let Some(desired) = &host.desired {
            host.parts.engine.keep_ready(desired.ready.clone()).await;
        }
        host.adopt().await?;
        host.settle();
        Ok((host, receiver))
    }

    /// Returns where the host is told of what happens.
    pub(crate) fn events(&self) -> mpsc::Sender<Event> {
        self.events.0.clone()
    }

    /// Runs until it is stopped. Replicas go on.
    pub(crate) async fn run(mut self, mut wishes: watch::Receiver<Option<HostDesired>>) {
        let mut measure = tokio::time::interval(MEASURE);
        let mut collect = tokio::time::interval(COLLECT);
        let stop = self.tasks.clone();
        loop {
            let wake = self.turn();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = wishes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let desired = wishes.borrow_and_update().clone();
                    self.desire(desired).await;
                }
                Some(event) = self.events.1.recv() => self.note(event),
                _ = measure.tick() => self.measure(),
                _ = collect.tick() => self.look_at_belongings(),
                () = tokio::time::sleep(wake) => {}
            }
            while let Ok(event) = self.events.1.try_recv() {
                self.note(event);
            }
        }
    }

    /// Decides and begins what is to do now; returns when to look again.
    fn turn(&mut self) -> Duration {
        let now = Timestamp::now();
        let mut wake = LOOK;
        if let Some(desired) = &self.desired {
            let observed = self.replicas.iter().map(|(id, replica)| (*id, replica.seen())).collect();
            let plan = converge::converge(desired, &observed, now);
            for step in plan.steps {
                self.begin(step, now);
            }
            let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
            wake = plan.wake.map_or(LOOK, |at| until(at).min(LOOK));
        }
        self.settle();
        wake
    }

    /// Takes new wishes, keeps them on disk, and applies them.
    async fn desire(&mut self, desired: Option<HostDesired>) {
        let Some(mut desired) = desired else { return };
        if self.desired.as_ref().is_some_and(|present| present.order() > desired.order()) {
            tracing::warn!(
                term = desired.term,
                generation = desired.generation,
                "wishes older than the present ones are refused"
            );
            return;
        }
        if let Some(before) = &self.desired {
            desired.take_over(before);
        }
        let (file, seal) = (self.parts.desired_file.clone(), Arc::clone(&self.parts.seal));
        let kept = desired.clone();
        let written = spawn_blocking(move || file.write(seal.as_ref(), &kept)).await;
        // Kept before acted upon. A full disk must not keep the platform from stopping what fills it.
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            tracing::error!(%error, "cannot keep the wishes of the control plane on disk");
        }
        let before = self.desired.replace(desired);
        self.apply_specs(Timestamp::now());
        if let Some(desired) = &self.desired
            && before.is_none_or(|before| before.ready != desired.ready)
        {
            self.parts.engine.keep_ready(desired.ready.clone()).await;
        }
    }

    /// Gives each replica its spec of now, and makes place for those that are new.
    fn apply_specs(&mut self, now: Timestamp) {
        let Some(desired) = &self.desired else { return };
        let ids: BTreeSet<_> =
            desired.replicas.iter().map(|spec| spec.id).chain(desired.kept.iter().copied()).collect();
        for spec in &desired.replicas {
            let replica = self.replicas.entry(spec.id).or_insert_with(|| Replica::new(None, now));
            replica.spec = Some(spec.clone());
            replica.desired = true;
            replica.accompanied.store(desired.is_accompanied(spec), Relaxed);
        }
        for (id, replica) in &mut self.replicas {
            replica.desired = ids.contains(id);
            let unwanted = !matches!(replica.wish(), Some(Wish::Run | Wish::Once { .. }));
            // Nobody waits for a start any more; other steps end soon.
            if let Some(step) = replica.busy.as_ref().filter(|step| step.starting && unwanted) {
                step.cut_off.cancel();
            }
        }
    }

    /// Derives each replica's phase, says in its log what changed, and publishes the report.
    fn settle(&mut self) {
        let now = Timestamp::now();
        for replica in self.replicas.values_mut() {
            let (before, after) = (replica.phase, replica.phase_now());
            if before != after {
                (replica.phase, replica.since) = (after, now);
                let line = match (before, after) {
                    (Phase::Starting, Phase::Healthy) => words::up(replica.record.ends),
                    (Phase::Healthy, Phase::Unhealthy) => Some(words::unresponsive(replica.probe.as_ref())),
                    (Phase::Unhealthy, Phase::Healthy) => Some(words::RESPONSIVE.to_owned()),
                    _ => None,
                };
                if let (Some(line), Some(spec)) = (line, &replica.spec) {
                    self.parts.journal.say(spec, &line);
                }
            }
        }
        let report = HostReport {
            term: self.desired.as_ref().map_or(0, |desired| desired.term),
            generation: self.desired.as_ref().map_or(0, |desired| desired.generation),
            replicas: self.replicas.iter().map(|(id, replica)| replica.status(*id)).collect(),
            degraded: self.degraded.clone(),
            garbage: self.garbage.clone(),
            in_use: self.machine.in_use(),
            keeps_minutes: true,
        };
        self.reports.send_if_modified(|present| {
            let changed = **present != report;
            if changed {
                *present = Arc::new(report);
            }
            changed
        });
    }

    /// Has what all replicas and the machine use measured.
    fn measure(&mut self) {
        self.degraded = self.parts.engine.degraded();
        let running = |(id, replica): (&ReplicaId, &Replica)| replica.watch.is_some().then_some(*id);
        let ids: Vec<_> = self.replicas.iter().filter_map(running).collect();
        let (engine, began) = (Arc::clone(&self.parts.engine), self.machine.began());
        self.spawn(async move |events| {
            let look = spawn_blocking(move || Look::take(began.elapsed())).await.unwrap_or_default();
            let mut measured = Vec::with_capacity(ids.len());
            for id in ids {
                measured.push((id, engine.usage(id).await, Instant::now()));
            }
            let _ = events.send(Event::Measured(measured, look)).await;
        });
    }

    /// Kills all that runs; what follows is as with any crash.
    pub(super) fn drill(&self) {
        let running = self.replicas.iter().filter(|(_, replica)| replica.watch.is_some());
        for id in running.map(|(id, _)| *id) {
            let engine = Arc::clone(&self.parts.engine);
            self.spawn(async move |_| {
                if let Err(error) = engine.kill(id).await {
                    tracing::warn!(%error, replica = %id, "a replica outlives a drill");
                }
            });
        }
    }

    /// Runs a task that ends with the host.
    fn spawn<F>(&self, task: impl FnOnce(mpsc::Sender<Event>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tasks, task) = (self.tasks.clone(), task(self.events.0.clone()));
        tokio::spawn(async move { tasks.run_until_cancelled(task).await });
    }

    fn dir(&self, id: ReplicaId) -> ReplicaDir {
        ReplicaDir::of(&self.parts.replicas_dir, id)
    }
}

fn since(then: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    then.map_or(SignedDuration::ZERO, |then| now.duration_since(then).max(SignedDuration::ZERO))
}
