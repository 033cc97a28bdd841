//! The loop that takes a sample at the end of every period and writes each minute when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::id::{AppId, HostId, ReplicaId};
use model::metrics::{KEPT_MINUTES, PERIOD_SECONDS, PERIODS, Reading};
use model::replica::ReplicaStatus;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Observed, lock, minute_of};
use crate::platform::Platform;

/// The app and the name of each replica that was seen.
type Names = BTreeMap<(HostId, ReplicaId), (AppId, String)>;

/// Samples until it is told to stop; then it writes what there is.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let mut names = Names::new();
    loop {
        let period = period();
        let over = stop.run_until_cancelled(tokio::time::sleep(until_the_end_of(period))).await.is_some();
        sample(&platform, &mut names, period).await;
        // Not cut off in the middle: what was written twice would count twice.
        let before = if over { (period + 1) / PERIODS } else { u64::MAX };
        if let Err(error) = write(&platform, before).await {
            warn!(error = format!("{error:#}"), "metrics are not written; they wait for the next minute");
        }
        if !over {
            return;
        }
    }
}

/// Takes a sample at once, outside of the loop, and writes nothing.
pub async fn sample_now(platform: &Platform) {
    sample(platform, &mut Names::new(), period()).await;
}

/// Removes what is older than a day.
///
/// # Errors
/// A database that fails.
pub async fn expire(platform: &Platform) -> anyhow::Result<()> {
    let before = minute_of(Timestamp::now()).saturating_sub(KEPT_MINUTES);
    loop {
        let mut tx = platform.store.write().await?;
        let more = store::expire_metrics(&mut tx, before).await?;
        tx.commit().await?;
        if !more {
            return Ok(());
        }
    }
}

/// Returns the period that is under way.
fn period() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default() / PERIOD_SECONDS
}

fn until_the_end_of(period: u64) -> Duration {
    let end = Duration::from_secs((period + 1) * PERIOD_SECONDS);
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    end.saturating_sub(Duration::from_millis(now)).min(Duration::from_secs(PERIOD_SECONDS))
}

async fn sample(platform: &Platform, names: &mut Names, period: u64) {
    let reports = platform.facts.reports();
    // Each server counts its own visitors; what replicas use one of them writes down.
    let leads = platform.leadership.term().is_some();
    let measured = reports
        .replicas()
        .filter(|_| leads)
        .filter_map(|(host, status)| Some(((host, status.id), reading(status)?)));
    let mut measured: Vec<_> = measured.collect();
    measured.sort_by_key(|((_, replica), _)| *replica);
    if measured.iter().any(|(id, _)| !names.contains_key(id)) {
        match known_names(platform).await {
            Ok(known) => *names = known,
            Err(error) => warn!(error = format!("{error:#}"), "new replicas are not measured for now"),
        }
    }
    // In the order of their ids: of two with one name, the younger counts.
    let readings =
        measured.iter().filter_map(|(id, reading)| Some((names.get(id)?.clone(), *reading))).collect();
    platform.metrics.note(period, Observed { traffic: platform.metrics.totals(), readings });
}

/// Returns what a replica uses, if anything of it is known.
fn reading(status: &ReplicaStatus) -> Option<Reading> {
    let memory_mib = status.memory_bytes.and_then(|bytes| u32::try_from(bytes >> 20).ok());
    let millicores = status.cpu.and_then(|cpu| cpu.millicores);
    (memory_mib.is_some() || millicores.is_some()).then_some(Reading { millicores, memory_mib })
}

async fn known_names(platform: &Platform) -> anyhow::Result<Names> {
    let replicas = store::list_all_replicas(&mut *platform.store.read().await?).await?;
    let name = |replica: store::Replica| ((replica.host_id, replica.id), (replica.app_id, replica.name()));
    Ok(replicas.into_iter().map(name).collect())
}

/// Writes the minutes before one.
async fn write(platform: &Platform, before: u64) -> anyhow::Result<()> {
    let finished = lock(&platform.metrics.recorder).finished(before);
    if finished.is_empty() {
        return Ok(());
    }
    let mut tx = platform.store.write().await?;
    let _writing = platform.metrics.writing.write().await;
    for (minute, apps) in &finished {
        for (app, samples) in apps {
            store::add_samples(&mut tx, *app, *minute, samples).await?;
        }
    }
    tx.commit().await?;
    lock(&platform.metrics.recorder).forget(before);
    Ok(())
}
