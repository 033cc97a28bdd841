//! Takes the minutes that agents measured and kept until now, each once, whoever brings it how often.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agent::Minutes;
use jiff::Timestamp;
use model::id::{AppId, HostId};
use model::metrics::{HostMinute, KEPT_MINUTES, MinuteOf};
use store::Db;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::minute_of;
use crate::platform::Platform;

/// How late a minute is before it is said to be missing: it is measured until it is over, and then on its way.
const LATE: u64 = 2;

/// How much farther ahead of ours a host's clock may be, in minutes.
const AHEAD: u64 = 2;

/// Most bytes of this machine's minutes in one transaction.
const MOST: usize = 1 << 20;

/// How long to wait after the database took nothing.
const PAUSE: Duration = Duration::from_secs(2);

/// Writes the minutes of a host that were not taken before.
///
/// # Errors
/// A database that fails; then none of them is taken.
pub async fn take(platform: &Platform, host: HostId, minutes: &[HostMinute]) -> anyhow::Result<()> {
    let now = minute_of(Timestamp::now());
    // What a clock that is wrong says would stand in the way of all that comes after it was put right.
    let kept = now.saturating_sub(KEPT_MINUTES)..=now + AHEAD;
    let mut tx = platform.store.write().await?;
    let apps: BTreeSet<AppId> = store::app_ids(&mut tx).await?.into_iter().collect();
    let mut meter = store::find_meter(&mut tx, host).await?;
    let mut has_told = meter.minute == 0;
    for of in minutes.iter().filter(|of| kept.contains(&of.minute)) {
        let Some(rows) = meter.take(of) else { continue };
        has_told |= !rows.is_empty();
        store::add_host_minute(&mut tx, host, of).await?;
        for (app, row) in rows.iter().filter(|(app, _)| apps.contains(app)) {
            store::add_samples(&mut tx, *app, row.minute, &row.samples).await?;
        }
    }
    // Of a thousand idle replicas there is much to write down, and nothing new.
    match has_told {
        true => store::set_meter(&mut tx, host, &meter).await?,
        false => store::set_meter_minute(&mut tx, host, meter.minute).await?,
    }
    Ok(tx.commit().await?)
}

/// Returns what is to be said of an app's replicas on hosts that are late with their minutes: what they use is not known.
pub(crate) async fn unheard(db: &mut Db, now: u64, app: AppId) -> store::Result<Vec<MinuteOf>> {
    let late = store::list_late_meters(db, now.saturating_sub(LATE)).await?;
    let unmeasured = late.iter().flat_map(|meter| meter.unmeasured(now));
    Ok(unmeasured.filter(|(of, _)| *of == app).map(|(_, row)| row).collect())
}

/// Takes the minutes of the agent in this process until it is told to stop.
pub async fn keep_own(platform: Arc<Platform>, minutes: Arc<Minutes>, stop: CancellationToken) {
    let here = platform.facts.here();
    let mut under_way = minutes.under_way();
    let taking = async {
        loop {
            let waiting = minutes.before(minute_of(Timestamp::now()), MOST);
            let Some(last) = waiting.last() else {
                if under_way.changed().await.is_err() {
                    return std::future::pending().await;
                }
                continue;
            };
            match take(&platform, here, &waiting).await {
                Ok(()) => minutes.settle(last.minute),
                Err(error) => {
                    warn!(error = format!("{error:#}"), "what was measured here waits");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(taking).await;
}
