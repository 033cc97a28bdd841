//! The engine that needs no daemon: a supervisor process and a bubblewrap sandbox for each run.

mod kept_ports;
mod launch;
mod leftovers;
mod supervised;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use async_trait::async_trait;
use fail_point::Step;
use model::exit::{Exit, ExitCause};
use model::id::ReplicaId;
use model::replica::ReplicaSpec;
use model::slug::Digest;
use sandbox::{Cgroup, HostFacts, Privilege, Reach};
use slug::SlugStore;
use tokio::task::spawn_blocking;

use crate::app_trees::AppTrees;
use crate::busy::{self, Busy};
use crate::engine::{Engine, EngineError, Instance, Memory, Usage};
use crate::listeners;
use crate::record::Record;
use crate::replica_dir::ReplicaDir;
use kept_ports::KeptPorts;
use supervised::Supervised;

/// Where a sandbox engine keeps and finds things.
pub struct SandboxOptions {
    /// The agent's own directory.
    pub dir: PathBuf,
    /// The directory of all apps' logs.
    pub logs_dir: PathBuf,
    /// The program that becomes a supervisor when it is run with the argument `supervise`.
    pub supervisor: PathBuf,
    /// Where slugs come from.
    pub slugs: SlugStore,
    /// What replicas and builds may not reach over the network; nothing keeps them from anything.
    pub reach: Option<Reach>,
}

/// Runs replicas under bubblewrap.
#[derive(Clone)]
pub struct SandboxEngine(Arc<Inner>);

struct Inner {
    options: SandboxOptions,
    host: HostFacts,
    /// The start of the names of its cgroups.
    cgroup_prefix: String,
    trees: AppTrees,
    kept_ports: KeptPorts,
    supervised: Mutex<HashMap<ReplicaId, Supervised>>,
    /// One thing at a time is done to a replica, even when nobody waits for it any more.
    turns: Mutex<HashMap<ReplicaId, Arc<tokio::sync::Mutex<()>>>>,
}

impl SandboxEngine {
    /// Returns an engine for this host, clean of what a killed server left.
    ///
    /// # Errors
    /// A program that sandboxes need is not installed, or the directory cannot be made.
    pub fn new(options: SandboxOptions) -> anyhow::Result<Self> {
        let replicas = options.dir.join("replicas");
        fs::create_dir_all(&replicas).with_context(|| format!("cannot make {}", replicas.display()))?;
        let host = HostFacts::detect(&options.dir.join("etc"))?;
        let trees = AppTrees::new(&options.dir, options.slugs.clone(), host.clone())?;
        let cgroup_prefix = format!("replica.{}.", sandbox::mark(&options.dir));
        leftovers::remove_cgroups(&host.cgroups, &cgroup_prefix, &replicas);
        leftovers::remove_trials(&options.dir);
        let kept_ports = KeptPorts::new(host.privilege, options.reach.as_ref(), own_ports(&replicas)?);
        let (supervised, turns) = (Mutex::default(), Mutex::default());
        let inner = Inner { options, host, cgroup_prefix, trees, kept_ports, supervised, turns };
        Ok(Self(Arc::new(inner)))
    }

    async fn turn(&self, id: ReplicaId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(lock(&self.0.turns).entry(id).or_default());
        turn.lock_owned().await
    }

    /// Runs something that blocks to its end, whether or not the caller still waits.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (inner, busy) = (Arc::clone(&self.0), Busy::begin(&self.0.options.dir));
        let work = move || {
            let _busy = busy;
            work(&inner)
        };
        Ok(spawn_blocking(work).await.context("a task was cut off")??)
    }

    /// Removes what a run left, but for the mount of its slug, which the next run may want.
    async fn clear(&self, id: ReplicaId) -> Result<(), EngineError> {
        self.blocking(move |inner| {
            inner.kill(id)?;
            inner.trees.remove(inner.dir(id).path())?;
            inner.cgroup(id)?.remove()?;
            inner.kept_ports.forget(id);
            lock(&inner.supervised).remove(&id);
            Ok(())
        })
        .await
    }

    async fn clean_in_turn(&self, id: ReplicaId) -> Result<(), EngineError> {
        self.clear(id).await?;
        self.blocking(move |inner| {
            inner.trees.release(id);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Engine for SandboxEngine {
    async fn list(&self) -> Result<BTreeMap<ReplicaId, Instance>, EngineError> {
        let dir = self.0.options.dir.clone();
        let waited = spawn_blocking(move || busy::wait_for_predecessor(&dir)).await;
        waited.context("a task was cut off")?.context("cannot wait for an earlier agent")?;
        self.blocking(|inner| {
            let ids = ReplicaDir::all(&inner.options.dir.join("replicas"))?;
            let used = |id: &ReplicaId| Some((*id, inner.dir(*id).spec()?.slug));
            inner.trees.found(ids.iter().filter_map(used));
            Ok(ids.into_iter().map(|id| (id, inner.find(id))).collect())
        })
        .await
    }

    async fn keep_ready(&self, slugs: BTreeSet<Digest>) {
        let (engine, wanted) = (self.clone(), slugs.clone());
        tokio::spawn(async move { engine.0.trees.warm(wanted).await });
        let kept = self.blocking(move |inner| {
            inner.trees.keep_ready(slugs);
            Ok(())
        });
        if let Err(error) = kept.await {
            tracing::warn!(error = format!("{error:#}"), "cannot look after the slugs of this host");
        }
    }

    async fn start(&self, spec: &ReplicaSpec, port: Option<u16>) -> Result<(), EngineError> {
        let (engine, spec) = (self.clone(), spec.clone());
        let busy = Busy::begin(&self.0.options.dir);
        let turn = self.turn(spec.id).await;
        // A task of its own: a start that nobody waits for any more must not go on beside what comes next.
        let started = tokio::spawn(async move {
            let _turn = (turn, busy);
            engine.launch(&spec, port).await
        });
        started.await.context("a start was cut off")?
    }

    async fn ended(&self, id: ReplicaId) -> Exit {
        let supervised = lock(&self.0.supervised).get(&id).and_then(|found| found.try_clone().ok());
        let dir = self.0.dir(id);
        match supervised {
            Some(supervised) => supervised.ended(&dir).await,
            None => supervised::unheld(&dir).await,
        }
        if dir.exit().is_none()
            && let Err(error) = self.blocking(move |inner| inner.kill(id)).await
        {
            // Nobody saw it end, so it may not have; what is left is killed again before the next start.
            tracing::warn!(error = format!("{error:#}"), replica = %id, "cannot make sure that a replica ended");
        }
        let lost = || Exit { cause: ExitCause::Lost, at: jiff::Timestamp::now(), last_lines: Vec::new() };
        dir.exit().unwrap_or_else(lost)
    }

    async fn stop(&self, id: ReplicaId) -> Result<(), EngineError> {
        if let Some(supervised) = lock(&self.0.supervised).get(&id) {
            supervised.signal(sandbox::Signal::TERM);
            fail_point::reach(Step::ReplicaStopping);
        }
        Ok(())
    }

    async fn kill(&self, id: ReplicaId) -> Result<(), EngineError> {
        let _turn = self.turn(id).await;
        self.blocking(move |inner| inner.kill(id)).await
    }

    async fn clean(&self, id: ReplicaId) -> Result<(), EngineError> {
        let _turn = self.turn(id).await;
        self.clean_in_turn(id).await
    }

    async fn forget(&self, id: ReplicaId) -> Result<(), EngineError> {
        let turn = self.turn(id).await;
        self.clean_in_turn(id).await?;
        fail_point::reach(Step::ReplicaCleared);
        let removed = self.blocking(move |inner| {
            let dir = inner.dir(id);
            sandbox::remove_tree(dir.path())
                .with_context(|| format!("cannot remove {}", dir.path().display()))
        });
        removed.await?;
        drop(turn);
        lock(&self.0.turns).remove(&id);
        Ok(())
    }

    async fn usage(&self, id: ReplicaId) -> Usage {
        let Ok(group) = self.0.cgroup(id) else { return Usage::default() };
        let usage = group.usage();
        let files = usage.files_bytes.unwrap_or(0);
        Usage { memory: usage.memory_bytes.map(|bytes| Memory { bytes, files }), cpu: usage.cpu }
    }

    async fn listening(&self, id: ReplicaId) -> Option<Vec<SocketAddr>> {
        let pid = lock(&self.0.supervised).get(&id)?.pid();
        let find = move || {
            let pids: Vec<_> =
                sandbox::descendants(pid).iter().map(|pid| pid.as_raw_nonzero().get()).collect();
            listeners::of_processes(&pids)
        };
        spawn_blocking(find).await.ok().flatten()
    }

    async fn tidy(&self) {
        self.0.trees.tidy().await;
    }

    fn degraded(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.0.host.privilege == Privilege::User {
            sentences.push("The platform does not run as root, so all apps run as the same user.".to_owned());
        }
        sentences.extend(self.0.host.cgroups.why_not.clone());
        sentences.extend(self.0.host.unfiltered.clone());
        sentences.extend(self.0.kept_ports.degraded());
        sentences.extend(sandbox::host_sockets_in_reach());
        sentences.extend(self.0.trees.degraded());
        sentences
    }
}

impl Inner {
    fn dir(&self, id: ReplicaId) -> ReplicaDir {
        ReplicaDir::of(&self.options.dir.join("replicas"), id)
    }

    fn cgroup(&self, id: ReplicaId) -> anyhow::Result<Cgroup> {
        Ok(Cgroup::named(&self.host.cgroups, &self.cgroup_name(id))?)
    }

    fn cgroup_name(&self, id: ReplicaId) -> String {
        format!("{}{id}", self.cgroup_prefix)
    }

    /// Says whether the replica of a directory runs, and takes hold of its supervisor if so.
    fn find(&self, id: ReplicaId) -> Instance {
        let dir = self.dir(id);
        if dir.is_held() {
            match supervised::adopt(&dir) {
                Some(supervised) => {
                    lock(&self.supervised).insert(id, supervised);
                }
                None => tracing::warn!(replica = %id, "a supervisor does not say who it is"),
            }
            return Instance::Running;
        }
        let lost = || Exit { cause: ExitCause::Lost, at: jiff::Timestamp::now(), last_lines: Vec::new() };
        match dir.exit() {
            Some(exit) => Instance::Ended(exit),
            None if dir.run().is_none() => Instance::Prepared,
            None => Instance::Ended(lost()),
        }
    }

    /// Kills what runs of a replica, whoever started it, and waits until its directory is free.
    fn kill(&self, id: ReplicaId) -> anyhow::Result<()> {
        let dir = self.dir(id);
        if dir.is_held() {
            let known = lock(&self.supervised).get(&id).and_then(|found| found.try_clone().ok());
            if let Some(supervised) = known.or_else(|| supervised::adopt(&dir)) {
                // The sandbox dies with its supervisor.
                supervised.signal(sandbox::Signal::KILL);
                supervised.reap();
            }
        }
        self.cgroup(id)?.kill()?;
        supervised::wait_until_unheld(&dir)
    }
}

/// Returns the ports of the replicas that run, with their users.
fn own_ports(replicas: &Path) -> std::io::Result<HashMap<ReplicaId, (u32, u16)>> {
    let own = |id: ReplicaId| {
        let dir = ReplicaDir::of(replicas, id);
        Some((id, (dir.spec()?.uid, Record::read(&dir)?.port?))).filter(|_| dir.is_held())
    };
    Ok(ReplicaDir::all(replicas)?.into_iter().filter_map(own).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
