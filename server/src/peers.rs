//! What the agents inside the servers of one database observe, exchanged between these: each server says what its own
//! agent reports and hears what the others say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::replica::HostReport;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::platform::Platform;

/// How often a server gives a sign of life, and looks for those of the others.
const PERIOD: Duration = Duration::from_secs(1);

/// How soon after one report another is told of: what goes up and down is not written each time.
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
        let mut reports = platform.facts.own_reports();
        let mut changes = platform.changes();
        let mut peers = Peers { platform: &platform, told: None, beats: BTreeMap::new() };
        loop {
            let begun = Instant::now();
            match tokio::time::timeout(EXCHANGE, peers.exchange()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(error = format!("{error:#}"), "servers do not hear of each other"),
                // It was cut off: the next one says everything anew.
                Err(_) => peers.told = None,
            }
            tokio::time::sleep(REST.saturating_sub(begun.elapsed())).await;
            tokio::select! {
                _ = reports.changed() => {}
                () = changes.signalled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    };
    stop.run_until_cancelled(exchanging).await;
}

/// Hears once what the others last said, before anybody is sent anywhere.
pub(crate) async fn hear(platform: &Platform) {
    if platform.store.is_shared() {
        let mut peers = Peers { platform, told: None, beats: BTreeMap::new() };
        let _ = tokio::time::timeout(EXCHANGE, peers.exchange()).await;
    }
}

struct Peers<'a> {
    platform: &'a Platform,
    /// What was last said of this machine.
    told: Option<Arc<HostReport>>,
    /// The last sign of life of each other server, with its report.
    beats: BTreeMap<String, (u64, HostReport)>,
}

impl Peers<'_> {
    async fn exchange(&mut self) -> anyhow::Result<()> {
        let Platform { store, options, facts, .. } = self.platform;
        let report = facts.report();
        let is_new = self.told.as_ref() != Some(&report);
        let address = options.listen.to_string();
        let news = is_new.then_some(&*report);
        store.give_sign((&options.server_name, &address), facts.here(), news).await?;
        self.told = Some(report);
        let mut db = store.read().await?;
        let servers = store::list_servers(&mut db).await?;
        drop(db);
        for server in servers.into_iter().filter(|server| server.name != options.server_name) {
            let known = self.beats.get(&server.name);
            if known.is_some_and(|(beat, _)| *beat == server.beat) {
                continue;
            }
            // The first one seen may be of long ago. It counts all the same, until it turns out that no other follows: what
            // runs is not missing from the table of a server that has just begun.
            let changed = known.is_none_or(|(_, before)| *before != server.report);
            facts.hear(server.host_id, changed.then(|| server.report.clone()));
            self.beats.insert(server.name, (server.beat, server.report));
        }
        Ok(())
    }
}
