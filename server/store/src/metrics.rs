//! What apps and their replicas did, a row for each app and minute in which something happened.

use std::collections::BTreeMap;
use std::ops::Range;

use model::id::AppId;
use model::metrics::{MinuteOf, Sample, pack, unpack};

use crate::error::Result;
use crate::row::{Columns as _, big};
use crate::transaction::Db;

/// Most minutes whose rows are removed at once, so that others get their turn.
const BATCH_MINUTES: i64 = 30;

/// What lists of all apps ask for.
pub(crate) const REQUESTS: &str = "select app_id, minute / $3 as slot, cast(sum(requests) as bigint) as requests from metrics \
     where minute >= $1 and minute < $2 and requests > 0 group by app_id, minute / $3";
pub(crate) const OLDEST: &str = "select min(minute) as oldest from metrics";

/// Adds samples to a minute of an app.
///
/// # Errors
/// A database that fails.
pub async fn add_samples(db: &mut Db, app: AppId, minute: u64, samples: &[Sample]) -> Result<()> {
    let requests = samples.iter().fold(0, |sum: u64, sample| sum.saturating_add(sample.traffic.requests()));
    sqlx::query(
        "insert into metrics (app_id, minute, requests, samples) values ($1, $2, $3, $4) \
         on conflict (app_id, minute) do update set requests = metrics.requests + excluded.requests, \
         samples = metrics.samples || excluded.samples",
    )
    .bind(app.to_string())
    .bind(big(minute))
    .bind(big(requests))
    .bind(pack(samples))
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the minutes of a window in which something happened to an app.
///
/// # Errors
/// A database that fails.
pub async fn list_minutes(db: &mut Db, app: AppId, window: Range<u64>) -> Result<Vec<MinuteOf>> {
    let rows = sqlx::query(
        "select minute, samples from metrics where app_id = $1 and minute >= $2 and minute < $3 order by minute",
    )
    .bind(app.to_string())
    .bind(big(window.start))
    .bind(big(window.end))
    .fetch_all(db)
    .await?;
    let minute =
        |row| Ok(MinuteOf { minute: number(row, "minute")?, samples: unpack(&row.text("samples")?) });
    rows.iter().map(minute).collect()
}

fn number(row: &sqlx::any::AnyRow, column: &str) -> Result<u64> {
    row.number(column)
}

/// Returns how many requests each app had in the slots of so many minutes that a window has, which begins and ends with
/// one. An app without any is not there.
///
/// # Errors
/// A database that fails.
pub async fn requests_of_apps(
    db: &mut Db,
    window: Range<u64>,
    slot_minutes: u64,
) -> Result<BTreeMap<AppId, Vec<u64>>> {
    let (first, slots) = (window.start / slot_minutes, (window.end - window.start) / slot_minutes);
    let rows = sqlx::query(REQUESTS)
        .bind(big(window.start))
        .bind(big(window.end))
        .bind(big(slot_minutes))
        .fetch_all(db)
        .await?;
    let mut apps = BTreeMap::new();
    for row in &rows {
        let app: AppId = row.parsed("app_id")?;
        let counts = apps.entry(app).or_insert_with(|| (0..slots).map(|_| 0).collect::<Vec<u64>>());
        let at = usize::try_from(number(row, "slot")?.saturating_sub(first)).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(at) {
            *count = number(row, "requests")?;
        }
    }
    Ok(apps)
}

/// Removes some of the rows from before a minute, the oldest first, and all those of hosts. Returns whether there may be more.
///
/// # Errors
/// A database that fails.
pub async fn expire_metrics(db: &mut Db, before: u64) -> Result<bool> {
    crate::host_metrics::expire(db, before).await?;
    let oldest = sqlx::query(OLDEST).fetch_one(&mut *db).await?.integer_or_none("oldest")?;
    let Some(oldest) = oldest.filter(|oldest| *oldest < big(before)) else { return Ok(false) };
    let upto = (oldest + BATCH_MINUTES).min(big(before));
    sqlx::query("delete from metrics where minute < $1").bind(upto).execute(db).await?;
    Ok(upto < big(before))
}
