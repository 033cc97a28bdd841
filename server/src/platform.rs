//! What every handler and loop shares. It holds, it does not decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::app_logs::AppLogs;
use crate::attempts::Attempts;
use crate::builds::BuildRoom;
use crate::facts::Facts;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::outlook::Outlook;
use crate::push::Fetches;
use crate::wishes::Wishes;

/// Changes wake those who wait; this is how long they wait at most before they look again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long nobody else takes over what this process works at, from when it last wrote something about it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

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
    /// The blobs of slugs.
    pub slugs: slug::SlugStore,
    /// Makes slugs.
    pub builder: build::Builder,
    /// Variables of the server that builds need to reach package registries.
    pub build_env: BTreeMap<String, String>,
    /// The apps' log streams.
    pub logs: AppLogs,
    /// What apps and their replicas do.
    pub metrics: Metrics,
    /// The hosts that dial in.
    pub agents: Agents,
    /// What was observed of hosts and replicas.
    pub facts: Facts,
    /// Where hosts come from, if they are a cloud's instances.
    pub cloud: Option<Arc<dyn cloud::Cloud>>,
    /// What was made of the hosts, and which replicas have no place.
    pub outlook: Outlook,
    /// Whether this server is the one that acts.
    pub leadership: Leadership,
    /// What hosts are told.
    pub wishes: Wishes,
    /// The builds that run.
    pub builds: BuildRoom,
    /// Sign-ins that failed.
    pub attempts: Attempts,
    /// Clones and fetches that are served.
    pub fetches: Fetches,
    /// Who is woken by what.
    pub signals: Signals,
    /// This process among all that work on the database, now or earlier.
    pub identity: String,
}

/// Wakes loops, and those who wait for something to come true.
#[derive(Default)]
pub struct Signals {
    /// Wakes the reconcile loop.
    pub reconcile: Notify,
    /// Wakes the sweep of what is no longer needed.
    pub sweep: Notify,
    /// Wakes the collection of what releases no longer need.
    pub collect: Notify,
    /// Cancelled when the server is told to stop.
    pub stop: CancellationToken,
    changes: watch::Sender<u64>,
}

impl Platform {
    /// Wakes the loop because a wish was written, and those who wait for a change.
    pub fn wished(&self) {
        self.signals.reconcile.notify_one();
        self.changed();
    }

    /// Returns the lease of what this process is about to write about.
    #[must_use]
    pub fn lease(&self) -> store::Lease {
        store::Lease { owner: self.identity.clone(), until: Timestamp::now() + LEASE }
    }

    /// Returns the address under which visitors reach an app, without a trailing slash.
    #[must_use]
    pub fn web_url(&self, app: &store::App) -> String {
        let tls = self.facts.witness().is_some_and(|witness| witness.speaks_tls(app.id));
        self.options.web_url(app.name.as_str(), tls)
    }

    /// Tells those who wait that something in the store changed.
    pub fn changed(&self) {
        self.signals.changes.send_modify(|n| *n += 1);
    }

    /// Returns what waits for changes from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.signals.changes.subscribe())
    }
}

/// Waits for changes in the store: look, wait for the next change, look again. A change during a look is not missed.
pub struct Changes(watch::Receiver<u64>);

impl Changes {
    /// Returns after the next change, or after a second: a signal that was lost costs no more than that.
    pub async fn next(&mut self) {
        let _ = tokio::time::timeout(LOOK_AGAIN, self.signalled()).await;
    }

    /// Returns after the next change, if its signal is not lost.
    pub async fn signalled(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
