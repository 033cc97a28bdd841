//! Begins steps: each as a task of its own with a time limit, which tells what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use model::id::ReplicaId;
use model::replica::ReplicaSpec;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Event, Host, since};
use crate::atomic::Durability;
use crate::converge::{Step, Why};
use crate::engine::EngineError;
use crate::health_watch::Watched;
use crate::record::Record;
use crate::replica::Busy;
use crate::replica_dir::ReplicaDir;
use crate::{ports, words};

/// How long a start may take, with the transfer of a slug.
const START: Duration = Duration::from_secs(10 * 60);
/// How long any other step may take.
const OTHER: Duration = Duration::from_secs(60);
/// The pause before a step that failed may be tried again; starts have their own.
const AGAIN: Duration = Duration::from_secs(2);

impl Host {
    /// Begins a step.
    pub(super) fn begin(&mut self, step: Step, now: Timestamp) {
        match step {
            Step::Start(id) => self.begin_start(id, now),
            Step::Stop(id, why) => self.begin_stop(id, why, now),
            Step::Kill(id) => {
                let engine = Arc::clone(&self.parts.engine);
                self.carry_out(id, step, async move { engine.kill(id).await });
            }
            Step::Clean(id) => {
                let engine = Arc::clone(&self.parts.engine);
                self.carry_out(id, step, async move { engine.clean(id).await });
            }
            Step::Forget(id) => {
                let engine = Arc::clone(&self.parts.engine);
                self.carry_out(id, step, async move { engine.forget(id).await });
            }
        }
    }

    fn begin_stop(&mut self, id: ReplicaId, why: Why, now: Timestamp) {
        self.mark_stopping(id, why, now);
        if let Some(spec) = self.replicas.get(&id).and_then(|replica| replica.spec.as_ref()) {
            self.parts.journal.say(spec, words::STOPPING);
        }
        let engine = Arc::clone(&self.parts.engine);
        self.carry_out(id, Step::Stop(id, why), async move { engine.stop(id).await });
    }

    fn begin_start(&mut self, id: ReplicaId, now: Timestamp) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        let Some(spec) = replica.spec.clone() else { return };
        let is_web = spec.process.is_web();
        let port = if is_web { self.parts.ports.give(ports::is_free) } else { None };
        let address = port.map(|port| SocketAddr::new(self.parts.probe_ip, port));
        replica.begin(port, address, now);
        let record = replica.record.clone();
        if record.runs == 1 {
            self.parts.journal.say(&spec, &words::starting(&spec));
        }
        let (engine, dir) = (Arc::clone(&self.parts.engine), self.dir(id));
        self.carry_out(id, Step::Start(id), async move {
            if is_web && port.is_none() {
                return Err(anyhow!("all ports of this host are in use").into());
            }
            prepare(dir, spec.clone(), record).await?;
            engine.start(&spec, port).await
        });
    }

    /// Runs a step and tells what came of it.
    fn carry_out(
        &mut self,
        id: ReplicaId,
        step: Step,
        work: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) {
        let cut_off = CancellationToken::new();
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.busy = Some(Busy { starting: matches!(step, Step::Start(_)), cut_off: cut_off.clone() });
        }
        let is_start = matches!(step, Step::Start(_));
        let limit = if is_start { START } else { OTHER };
        self.spawn(async move |events| {
            let late = |_| Err(anyhow!("it took longer than {} s", limit.as_secs()).into());
            let outcome = tokio::select! {
                outcome = timeout(limit, work) => outcome.unwrap_or_else(late),
                () = cut_off.cancelled() => Err(anyhow!("it is not wanted any more").into()),
            };
            if let Err(error) = &outcome
                && !is_start
            {
                tracing::warn!(
                    error = format!("{:#}", describe(error)),
                    "{step:?} failed and is tried again"
                );
                sleep(AGAIN).await;
            }
            let _ = events.send(Event::Done(step, outcome)).await;
        });
    }

    /// Watches a run: for its end, and for its health.
    pub(super) fn watch(&mut self, id: ReplicaId, now: Timestamp) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        let token = self.tasks.child_token();
        replica.watch = Some(token.clone().drop_guard());
        let (run, record) = (replica.record.runs, replica.record.clone());
        let (spec, accompanied) = (replica.spec.clone(), Arc::clone(&replica.accompanied));
        let doubt = Arc::clone(&replica.doubt);
        let engine = Arc::clone(&self.parts.engine);
        let (events, ends) = (self.events.0.clone(), token.clone());
        tokio::spawn(async move {
            if let Some(exit) = ends.run_until_cancelled(engine.ended(id)).await {
                let _ = events.send(Event::Ended(id, run, exit)).await;
            }
        });
        let Some(spec) = spec else { return };
        let watched = Watched {
            engine: Arc::clone(&self.parts.engine),
            spec,
            port: record.port,
            probe_ip: self.parts.probe_ip,
            answered: record.address.filter(|_| record.healthy),
            was_healthy: record.healthy,
            accompanied,
            doubt,
            up: Duration::try_from(since(record.started, now)).unwrap_or_default(),
            run,
            events: self.events.0.clone(),
        };
        tokio::spawn(async move { token.run_until_cancelled(watched.watch()).await });
    }
}

/// Writes down that a run begins, before anything of it exists.
async fn prepare(dir: ReplicaDir, spec: ReplicaSpec, record: Record) -> anyhow::Result<()> {
    let write = move || {
        dir.create()?;
        // How the run before ended is not how this one does.
        dir.remove_run()?;
        dir.write_spec(&spec)?;
        // What runs once must not run again after a loss of power.
        let durability = match spec.wish {
            model::replica::Wish::Once { .. } => Durability::Synced,
            _ => Durability::Cached,
        };
        record.write(&dir, durability)
    };
    tokio::task::spawn_blocking(write).await?.context("cannot write the replica's files")
}

fn describe(error: &EngineError) -> String {
    match error {
        EngineError::Impossible(reason) => reason.clone(),
        EngineError::Failed(error) => format!("{error:#}"),
    }
}
