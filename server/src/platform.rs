//! What every handler and loop shares. It holds, it does not decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::app_logs::AppLogs;
use crate::builds::BuildRoom;
use crate::facts::Facts;
use crate::options::Options;

/// The parts of a running server.
pub struct Platform {
    /// The options in force.
    pub options: Options,
    /// The database.
    pub store: store::Store,
    /// Seals what must not be readable at rest.
    pub vault: Arc<store::Vault>,
    /// The apps' git repositories.
    pub repositories: git::Repositories,
    /// Where pushes report to.
    pub hooks: git::hook::HookServer,
    /// The blobs of slugs.
    pub slugs: slug::SlugStore,
    /// Makes slugs.
    pub builder: build::Builder,
    /// Variables of the server that builds need to reach package registries.
    pub build_env: BTreeMap<String, String>,
    /// The apps' log streams.
    pub logs: AppLogs,
    /// What was observed of hosts and replicas.
    pub facts: Facts,
    /// The builds that run.
    pub builds: BuildRoom,
    /// Wakes the reconcile loop.
    pub wake: Notify,
    /// Wakes the sweep of what destroyed apps left behind.
    pub wake_sweep: Notify,
    changes: watch::Sender<u64>,
}

/// The parts that come from outside.
pub struct Parts {
    /// See [`Platform`].
    pub options: Options,
    /// See [`Platform`].
    pub store: store::Store,
    /// See [`Platform`].
    pub vault: Arc<store::Vault>,
    /// See [`Platform`].
    pub repositories: git::Repositories,
    /// See [`Platform`].
    pub hooks: git::hook::HookServer,
    /// See [`Platform`].
    pub slugs: slug::SlugStore,
    /// See [`Platform`].
    pub builder: build::Builder,
    /// See [`Platform`].
    pub build_env: BTreeMap<String, String>,
    /// See [`Platform`].
    pub logs: AppLogs,
    /// See [`Platform`].
    pub facts: Facts,
}

impl Platform {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { options, store, vault, repositories, hooks, slugs, builder, build_env, logs, facts } =
            parts;
        let builds = BuildRoom::new(options.builds);
        Self {
            options,
            store,
            vault,
            repositories,
            hooks,
            slugs,
            builder,
            build_env,
            logs,
            facts,
            builds,
            wake: Notify::new(),
            wake_sweep: Notify::new(),
            changes: watch::Sender::new(0),
        }
    }

    /// Wakes the loop because a wish was written, and those who wait for a change.
    pub fn wished(&self) {
        self.wake.notify_one();
        self.changed();
    }

    /// Tells those who wait that something in the store changed.
    pub fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// Returns what changes whenever something in the store did; waiters read the store again then.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
