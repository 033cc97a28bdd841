//! What the servers of one database tell each other: what the agent inside each observes, and what its router has under
//! way. Each says it of itself and hears what the others say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::id::ReplicaId;
use model::replica::HostReport;
use store::{Server, Sign};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::platform::Platform;

/// How often a server gives a sign of life, and looks for those of the others.
const PERIOD: Duration = Duration::from_secs(1);

/// How soon after one exchange comes another: what goes up and down is not written each time.
const REST: Duration = Duration::from_millis(200);

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(3);

/// Exchanges until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    if !platform.store.is_shared() {
        stop.cancelled().await;
        return;
    }
    let exchanging = async {
        let (mut reports, mut tables) = (platform.facts.own_reports(), platform.facts.routers.published());
        let mut changes = platform.changes();
        let mut peers = Peers::new(&platform);
        loop {
            let begun = Instant::now();
            match tokio::time::timeout(EXCHANGE, peers.exchange()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    debug!(error = format!("{error:#}"), "servers do not hear of each other");
                    peers.told = None;
                }
                // It was cut off: the next one says everything anew.
                Err(_) => peers.told = None,
            }
            tokio::time::sleep(REST.saturating_sub(begun.elapsed())).await;
            let rest = if peers.is_busy() { REST } else { PERIOD };
            tokio::select! {
                _ = reports.changed() => {}
                _ = tables.changed() => {}
                () = changes.signalled() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    };
    stop.run_until_cancelled(exchanging).await;
}

/// Hears once what the others last said, before anybody is sent anywhere.
pub(crate) async fn hear(platform: &Platform) {
    if platform.store.is_shared() {
        let _ = tokio::time::timeout(EXCHANGE, Peers::new(platform).exchange()).await;
    }
}

struct Peers<'a> {
    platform: &'a Platform,
    /// What was last said.
    told: Option<Told>,
    /// What each other server last said.
    heard: BTreeMap<String, Server>,
}

#[derive(Clone, PartialEq, Eq)]
struct Told {
    report: Arc<HostReport>,
    moment: u64,
    busy: BTreeSet<ReplicaId>,
}

impl<'a> Peers<'a> {
    fn new(platform: &'a Platform) -> Self {
        Self { platform, told: None, heard: BTreeMap::new() }
    }

    fn is_busy(&self) -> bool {
        self.told.as_ref().is_some_and(|told| !told.busy.is_empty())
    }

    async fn exchange(&mut self) -> anyhow::Result<()> {
        self.tell().await?;
        let Platform { store, options, .. } = self.platform;
        let servers = store::list_servers(&mut *store.read().await?).await?;
        for server in servers.into_iter().filter(|server| server.name != options.server_name) {
            self.hear(server);
        }
        Ok(())
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        let Platform { store, options, facts, .. } = self.platform;
        let (report, moment) = (facts.report(), *facts.routers.published().borrow());
        let now = Told { report, moment, busy: facts.busy() };
        let before = self.told.take();
        let is_new_report = before.as_ref().is_none_or(|before| before.report != now.report);
        // The table as such is news only to who waits for it, since all that is written makes a new one.
        let is_awaited =
            facts.has_leaving() && before.as_ref().is_none_or(|before| before.moment != now.moment);
        let is_free = before.as_ref().is_some_and(|before| before.busy != now.busy);
        let address = options.listen.to_string();
        let sign = Sign {
            name: &options.server_name,
            host: facts.here(),
            address: &address,
            report: is_new_report.then_some(&*now.report),
            moment: now.moment,
            busy: &now.busy,
            wakes: is_new_report || is_awaited || is_free,
        };
        store.give_sign(sign).await?;
        self.told = Some(now);
        Ok(())
    }

    fn hear(&mut self, server: Server) {
        let facts = &self.platform.facts;
        let known = self.heard.get(&server.name);
        if known.is_some_and(|known| known.beat == server.beat) {
            return;
        }
        // The first one seen may be of long ago. It counts all the same, until it turns out that no other follows: what
        // runs is not missing from the table of a server that has just begun.
        let changed = known.is_none_or(|known| known.report != server.report);
        facts.routers.hear(&server.name, server.moment, server.busy.clone());
        facts.hear(server.host_id, changed.then(|| (server.beat, server.report.clone())));
        self.heard.insert(server.name.clone(), server);
    }
}
