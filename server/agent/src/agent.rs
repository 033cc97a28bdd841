//! The agent of one host, for whoever runs it: wishes in, reports out.

use std::fs::{self, File};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::id::ReplicaId;
use model::replica::{HostDesired, HostReport};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::Engine;
use crate::host::{Event, Host, Parts};
use crate::journal::Journal;
use crate::minutes::Minutes;
use crate::ports::Ports;
use crate::seal::{DesiredFile, Seal};

/// How long an agent that is ending in the same directory is waited for.
const PREDECESSOR: Duration = Duration::from_secs(5);
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(5);

/// What an agent needs.
pub struct AgentOptions {
    /// Its own directory.
    pub dir: PathBuf,
    /// The directory of all apps' logs, one below it for each app's id.
    pub logs_dir: PathBuf,
    /// The address that replicas are asked on.
    pub probe_ip: IpAddr,
    /// The ports that are given to replicas.
    pub ports: RangeInclusive<u16>,
    /// Encrypts what is kept of the wishes.
    pub seal: Arc<dyn Seal>,
    /// Runs the replicas.
    pub engine: Arc<dyn Engine>,
}

impl AgentOptions {
    /// The ports that are given to replicas unless told otherwise; below those the kernel gives to connections.
    pub const PORTS: RangeInclusive<u16> = 20_000..=29_999;
}

/// Converges one host to what is desired of it, and reports what it observes.
///
/// When it is dropped it stops acting; its replicas go on, and the next agent in the same directory adopts them.
pub struct Agent {
    desired: watch::Sender<Option<HostDesired>>,
    reports: watch::Receiver<Arc<HostReport>>,
    events: mpsc::Sender<Event>,
    minutes: Arc<Minutes>,
    host: JoinHandle<()>,
    tasks: DropGuard,
}

impl Agent {
    /// Starts an agent: adopts the replicas it finds, and goes on with the last wishes it knows.
    ///
    /// # Errors
    /// The directory cannot be used, or another agent uses it.
    pub async fn start(options: AgentOptions) -> Result<Self> {
        let AgentOptions { dir, logs_dir, probe_ip, ports, seal, engine } = options;
        let replicas_dir = dir.join("replicas");
        fs::create_dir_all(&replicas_dir)
            .with_context(|| format!("cannot make {}", replicas_dir.display()))?;
        let lock = lock(&dir).await?;
        let minutes = Arc::new(Minutes::open(dir.join("minutes")));
        let tasks = CancellationToken::new();
        let parts = Parts {
            engine,
            replicas_dir,
            probe_ip,
            ports: Ports::new(ports, uuid::Uuid::new_v4().as_u64_pair().1),
            journal: Journal::new(logs_dir),
            seal,
            desired_file: DesiredFile::at(dir.join("desired")),
            minutes: Arc::clone(&minutes),
        };
        let (host, reports) =
            Host::start(parts, tasks.clone()).await.context("cannot find what runs here")?;
        let ((desired, wishes), events) = (watch::channel(None), host.events());
        let host = tokio::spawn(async move {
            host.run(wishes).await;
            drop(lock);
        });
        Ok(Self { desired, reports, events, minutes, host, tasks: tasks.drop_guard() })
    }

    /// Gives the agent new wishes; those that come before those it has are refused.
    pub fn set_desired(&self, desired: HostDesired) {
        self.desired.send_if_modified(|present| {
            let newer = present.as_ref().is_none_or(|present| present.order() <= desired.order());
            if newer {
                *present = Some(desired);
            }
            newer
        });
    }

    /// Has replicas probed at once, because requests to them are not answered. One that is lost is made up for by the
    /// next, and by the probes that come anyhow.
    pub fn doubt(&self, replicas: Vec<ReplicaId>) {
        let _ = self.events.try_send(Event::Doubted(replicas));
    }

    /// Kills all replicas, as if they had crashed; those that should run are started again.
    pub fn drill(&self) {
        let _ = self.events.try_send(Event::Drill);
    }

    /// Has what nobody needs on this host looked for now: what was reported as garbage before and still is, is removed.
    pub fn collect(&self) {
        let _ = self.events.try_send(Event::Collect);
    }

    /// Returns the reports; there is always one, and a new one as soon as something changes.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<Arc<HostReport>> {
        self.reports.clone()
    }

    /// Returns what was measured here and waits for a server.
    #[must_use]
    pub fn minutes(&self) -> Arc<Minutes> {
        Arc::clone(&self.minutes)
    }

    /// Ends the agent and leaves its replicas running.
    pub async fn shutdown(self) {
        drop(self.tasks);
        // Nothing is lost if it is late: whatever it does, the next agent finds.
        let _ = timeout(END, self.host).await;
    }
}

/// Takes the directory for this agent alone.
async fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let open = || File::options().write(true).create(true).truncate(false).open(&path);
    let file = open().with_context(|| format!("cannot open {}", path.display()))?;
    let deadline = Instant::now() + PREDECESSOR;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > deadline {
            bail!("another agent uses {}; stop it first", dir.display());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(file)
}
