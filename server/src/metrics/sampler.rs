//! The loop that takes a sample at the end of every period and writes each minute when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::id::{AppId, HostId, ReplicaId};
use model::metrics::{KEPT_MINUTES, PERIOD_SECONDS, PERIODS, Reading, Visits};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::{Observed, lock, minute_of};
use crate::platform::Platform;

/// The host, the app and the name of each replica that was seen.
type Names = BTreeMap<ReplicaId, (HostId, AppId, String)>;

/// For how many minutes a server may have written nothing before it counts as killed.
const SILENT: u64 = 3;

/// Samples until it is told to stop; then it writes what there is.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let mut names = Names::new();
    let mut mark = Mark { run: Uuid::now_v7(), minute: 0 };
    if let Err(error) = write(&platform, &mut mark, period() / PERIODS).await {
        warn!(error = format!("{error:#}"), "it is not noted that requests are counted");
    }
    loop {
        let period = period();
        let over = stop.run_until_cancelled(tokio::time::sleep(until_the_end_of(period))).await.is_some();
        sample(&platform, &mut names, period).await;
        // Not cut off in the middle: what was written twice would count twice.
        let before = if over { (period + 1) / PERIODS } else { u64::MAX };
        if let Err(error) = write(&platform, &mut mark, before).await {
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
        store::expire_uncounted(&mut tx, before).await?;
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
    // Each server counts its own visitors; what replicas use one of them writes down, unless their agent brings it.
    let leads = platform.leadership.term().is_some();
    let measured = reports
        .replicas()
        .filter(|(host, _)| leads && !reports.of(*host).is_some_and(|heard| heard.report.keeps_minutes))
        .filter_map(|(host, status)| Some((status.id, host, status.reading()?)));
    let mut measured: Vec<_> = measured.collect();
    measured.sort_by_key(|(replica, ..)| *replica);
    let mut visits = platform.facts.visits();
    visits.retain(|(_, visits)| visits.requests > 0);
    let mut seen = measured.iter().map(|(id, ..)| id).chain(visits.iter().map(|(id, _)| id));
    if seen.any(|id| !names.contains_key(id)) {
        match known_names(platform).await {
            Ok(known) => {
                // One that has just gone may have had requests until then.
                names.retain(|id, _| visits.iter().any(|(visited, _)| visited == id));
                names.extend(known);
            }
            Err(error) => warn!(error = format!("{error:#}"), "new replicas are not measured for now"),
        }
    }
    // In the order of their ids: of two with one name, the younger counts.
    let named = |(id, host, reading): &(ReplicaId, HostId, Reading)| {
        let (_, app, name) = names.get(id).filter(|(of, ..)| of == host)?;
        Some(((*app, name.clone()), *reading))
    };
    let visited = |(id, visits): &(ReplicaId, Visits)| {
        let (_, app, name) = names.get(id)?;
        Some((*id, (*app, name.clone(), *visits)))
    };
    let readings = measured.iter().filter_map(named).collect();
    let visits = visits.iter().filter_map(visited).collect();
    platform.metrics.note(period, Observed { traffic: platform.metrics.totals(), readings, visits });
}

async fn known_names(platform: &Platform) -> anyhow::Result<Names> {
    let replicas = store::list_all_replicas(&mut *platform.store.read().await?).await?;
    let name = |replica: store::Replica| (replica.id, (replica.host_id, replica.app_id, replica.name()));
    Ok(replicas.into_iter().map(name).collect())
}

/// How far a run of this server has written what it counted, as the store has it: what it leaves there tells what is lost if
/// it is killed.
struct Mark {
    run: Uuid,
    minute: u64,
}

/// Writes the minutes before one, and moves the mark there; with the last one it takes the mark away.
async fn write(platform: &Platform, mark: &mut Mark, before: u64) -> anyhow::Result<()> {
    let finished = lock(&platform.metrics.recorder).finished(before);
    if finished.is_empty() && mark.minute == before {
        return Ok(());
    }
    let mut tx = platform.store.write().await?;
    let _writing = platform.metrics.writing.write().await;
    for (minute, apps) in &finished {
        for (app, samples) in apps {
            store::add_samples(&mut tx, *app, *minute, samples).await?;
        }
    }
    if before == u64::MAX {
        store::end_counting(&mut tx, mark.run).await?;
    } else {
        store::set_counting(&mut tx, mark.run, before).await?;
        store::settle_counting(&mut tx, before.saturating_sub(SILENT)).await?;
    }
    tx.commit().await?;
    lock(&platform.metrics.recorder).forget(before);
    mark.minute = before;
    Ok(())
}
