//! The engine that runs each replica in a container of its own.
//!
//! The daemon holds the containers, which outlive the server; what Docker does not keep, or not for good, is in the replica's
//! directory: `run.json` and `exit.json` as the sandbox engine has them, and how far its output was carried.

mod belongings;
mod containers;
mod end;
mod launch;
pub(crate) mod networks;
mod output;
mod processes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::{AppTrees, Busy, Engine, EngineError, Instance, ReplicaDir, Usage};
use anyhow::Context as _;
use async_trait::async_trait;
use fail_point::Step;
use model::exit::Exit;
use model::id::ReplicaId;
use model::keep::Belonging;
use model::replica::ReplicaSpec;
use model::slug::Digest;
use sandbox::{Firewall, HostFacts, Privilege, Reach};
use serde::{Deserialize, Serialize};
use slug::SlugStore;
use tokio::task::spawn_blocking;

use crate::daemon::Daemon;
use crate::labels;
use networks::Networks;
use output::Carrier;

/// Where a Docker engine keeps and finds things.
pub struct DockerOptions {
    /// The agent's own directory.
    pub dir: PathBuf,
    /// The directory of all apps' logs.
    pub logs_dir: PathBuf,
    /// Where slugs come from.
    pub slugs: SlugStore,
    /// What replicas and builds may not reach over the network; nothing keeps them from anything.
    pub reach: Option<Reach>,
    /// The image that replicas run on.
    pub image: String,
}

/// Returns how the names of the bridges begin that an engine with this directory makes, for the packet filter.
#[must_use]
pub fn bridges(dir: &Path) -> String {
    labels::bridges(&labels::mark(dir))
}

/// Runs replicas in containers.
#[derive(Clone)]
pub struct DockerEngine(Arc<Inner>);

struct Inner {
    options: DockerOptions,
    daemon: Daemon,
    host: HostFacts,
    /// Says on every container and network whose it is.
    mark: String,
    trees: AppTrees,
    networks: Networks,
    unfiltered: Option<String>,
    /// Why the daemon did not answer the last time, as a sentence.
    down: Mutex<Option<String>>,
    carriers: Mutex<HashMap<ReplicaId, Carrier>>,
    /// One thing at a time is done to a replica, even when nobody waits for it any more.
    turns: Mutex<HashMap<ReplicaId, Arc<tokio::sync::Mutex<()>>>>,
}

/// What `run.json` holds: written when the container waits for the word to become the program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct RunFile {
    container: String,
    ip: Option<IpAddr>,
}

impl DockerEngine {
    /// Returns an engine for the daemon of this host.
    ///
    /// # Errors
    /// It does not run as root, or the directory cannot be made.
    pub fn new(options: DockerOptions, daemon: Daemon) -> anyhow::Result<Self> {
        anyhow::ensure!(
            Privilege::detect() == Privilege::Root,
            "the Docker engine needs root: each app has a user of its own"
        );
        let replicas = options.dir.join("replicas");
        fs::create_dir_all(&replicas).with_context(|| format!("cannot make {}", replicas.display()))?;
        let host = HostFacts::detect(&options.dir.join("etc"))?;
        let trees = AppTrees::new(&options.dir, options.slugs.clone(), host.clone())?;
        let mark = labels::mark(&options.dir);
        let reach =
            options.reach.clone().map(|reach| Reach { bridges: Some(labels::bridges(&mark)), ..reach });
        let firewall = reach.map(|reach| Firewall::put_up(host.privilege, &reach, &[])).transpose();
        let networks = Networks::new(daemon.clone(), &mark);
        Ok(Self(Arc::new(Inner {
            options,
            daemon,
            host,
            mark,
            trees,
            networks,
            unfiltered: firewall.err(),
            down: Mutex::default(),
            carriers: Mutex::default(),
            turns: Mutex::default(),
        })))
    }

    async fn turn(&self, id: ReplicaId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(lock(&self.0.turns).entry(id).or_default());
        turn.lock_owned().await
    }

    /// Runs something that blocks to its end, whether or not the caller still waits.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (inner, busy) = (Arc::clone(&self.0), Busy::begin(&self.0.options.dir));
        let work = move || {
            let _busy = busy;
            work(&inner)
        };
        spawn_blocking(work).await.context("a task was cut off")?
    }

    /// Carries the output of a container into the app's log, unless that is done already.
    fn carry_output(&self, id: ReplicaId) {
        let mut carriers = lock(&self.0.carriers);
        if carriers.contains_key(&id) {
            return;
        }
        // Without its spec nobody knows whose log it belongs into.
        let Some(spec) = self.0.dir(id).spec() else { return };
        carriers.insert(id, Carrier::start(&self.0, &spec));
    }

    /// Removes what a run left, but for the mount of its slug, which the next run may want.
    async fn clear(&self, id: ReplicaId) -> anyhow::Result<()> {
        let carrier = lock(&self.0.carriers).get(&id).map(Carrier::done);
        self.0.kill(id).await?;
        if let Some(done) = carrier {
            done.wait().await;
        }
        self.0.remove(id).await?;
        lock(&self.0.carriers).remove(&id);
        self.blocking(move |inner| inner.trees.remove(inner.dir(id).path())).await
    }

    async fn clean_in_turn(&self, id: ReplicaId) -> anyhow::Result<()> {
        self.clear(id).await?;
        self.blocking(move |inner| {
            inner.trees.release(id);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn list(&self) -> Result<BTreeMap<ReplicaId, Instance>, EngineError> {
        let dir = self.0.options.dir.clone();
        let waited = spawn_blocking(move || agent::wait_for_predecessor(&dir)).await;
        waited.context("a task was cut off")?.context("cannot wait for an earlier agent")?;
        let containers = match self.0.containers().await {
            // What runs may run on without the daemon, and is told apart when it is back.
            Err(error) if error.is_silence() => {
                tracing::warn!("replicas are taken to run: {error}");
                Vec::new()
            }
            other => other.map_err(anyhow::Error::from)?,
        };
        // Nobody waits for it: visitors wait for what is found.
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.networks.sweep().await });
        let ids: BTreeSet<_> = self
            .blocking(|inner| {
                let ids = ReplicaDir::all(&inner.options.dir.join("replicas"))?;
                let used = |id: &ReplicaId| Some((*id, inner.dir(*id).spec()?.slug));
                inner.trees.found(ids.iter().filter_map(used));
                Ok(ids)
            })
            .await?
            .into_iter()
            .chain(containers)
            .collect();
        let mut found = BTreeMap::new();
        for id in ids {
            found.insert(id, self.find(id).await?);
        }
        Ok(found)
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
        self.0.wait(id).await;
        let done = lock(&self.0.carriers).get(&id).map(Carrier::done);
        if let Some(done) = done {
            done.wait().await;
        }
        self.0.exit(id).await
    }

    async fn stop(&self, id: ReplicaId) -> Result<(), EngineError> {
        let Some(spec) = self.0.dir(id).spec() else { return self.kill(id).await };
        let Some(found) = self.0.inspect(id).await? else { return Ok(()) };
        if !processes::signal(&found, sandbox::Signal::TERM) {
            // Its first process passes a signal on.
            self.0.signal(id, "SIGTERM").await?;
        }
        fail_point::reach(Step::ReplicaStopping);
        let (inner, container) = (Arc::clone(&self.0), found.id);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(spec.stop_seconds.into())).await;
            let same = inner.inspect(id).await.ok().flatten().is_some_and(|found| found.id == container);
            if same && let Err(error) = inner.kill(id).await {
                tracing::warn!(error = format!("{error:#}"), replica = %id, "cannot kill a replica yet");
            }
        });
        Ok(())
    }

    async fn kill(&self, id: ReplicaId) -> Result<(), EngineError> {
        let _turn = self.turn(id).await;
        Ok(self.0.kill(id).await?)
    }

    async fn clean(&self, id: ReplicaId) -> Result<(), EngineError> {
        let _turn = self.turn(id).await;
        Ok(self.clean_in_turn(id).await?)
    }

    async fn forget(&self, id: ReplicaId) -> Result<(), EngineError> {
        let turn = self.turn(id).await;
        let app = self.0.dir(id).spec().map(|spec| spec.app);
        self.clean_in_turn(id).await?;
        fail_point::reach(Step::ReplicaCleared);
        self.blocking(move |inner| {
            let dir = inner.dir(id);
            sandbox::remove_tree(dir.path())
                .with_context(|| format!("cannot remove {}", dir.path().display()))
        })
        .await?;
        if let Some(app) = app {
            self.0.networks.give_up(app).await;
        }
        drop(turn);
        lock(&self.0.turns).remove(&id);
        Ok(())
    }

    async fn usage(&self, id: ReplicaId) -> Usage {
        self.0.usage(id).await.unwrap_or_default()
    }

    async fn listening(&self, id: ReplicaId) -> Option<Vec<SocketAddr>> {
        let found = self.0.inspect(id).await.ok().flatten()?;
        spawn_blocking(move || processes::listening(&found)).await.ok().flatten()
    }

    async fn ip(&self, id: ReplicaId) -> Option<IpAddr> {
        self.0.dir(id).read::<RunFile>("run.json")?.ip
    }

    async fn tidy(&self) {
        self.0.trees.tidy().await;
    }

    async fn belongings(&self) -> Vec<Belonging> {
        let found = self.0.belongings().await;
        found.inspect_err(|error| tracing::debug!(%error, "cannot see what is there")).unwrap_or_default()
    }

    async fn discard(&self, belonging: &Belonging) -> Result<(), EngineError> {
        self.0.discard(belonging).await
    }

    fn degraded(&self) -> Vec<String> {
        let mut sentences: Vec<_> = self.0.unfiltered.iter().cloned().collect();
        sentences.extend(self.0.trees.degraded());
        sentences.extend(lock(&self.0.down).clone());
        sentences
    }
}

impl Inner {
    /// Tells whether other machines reach replicas at this host's own address.
    fn is_balanced(&self) -> bool {
        self.options.reach.as_ref().is_some_and(|reach| reach.balanced_ports.is_some())
    }

    fn dir(&self, id: ReplicaId) -> ReplicaDir {
        ReplicaDir::of(&self.options.dir.join("replicas"), id)
    }

    fn name(&self, id: ReplicaId) -> String {
        labels::container(&self.mark, id)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
