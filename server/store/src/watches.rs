//! Releases that are watched after their rollout, at most one per app. A row goes when the watch is over.

use model::id::AppId;
use model::release::Version;
use model::watch::Watch;
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, big, json, now};
use crate::transaction::Db;

pub(crate) fn watch(row: &AnyRow) -> Result<Watch> {
    Ok(Watch {
        version: Version(row.number("release_version")?),
        generation: row.number("generation")?,
        fallback: Version(row.number("fallback_version")?),
        since: row.time("since")?,
        until: row.time("until")?,
        before: row.json("before")?,
    })
}

/// Begins to watch a release, in place of the one watched so far.
///
/// # Errors
/// A release that is not there.
pub async fn start_watch(db: &mut Db, app: AppId, watch: &Watch) -> Result<()> {
    end_watch(db, app).await?;
    sqlx::query(
        "insert into watches (app_id, release_version, generation, fallback_version, since, until, before) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(app.to_string())
    .bind(big(watch.version.0))
    .bind(big(watch.generation))
    .bind(big(watch.fallback.0))
    .bind(watch.since.as_millisecond())
    .bind(watch.until.as_millisecond())
    .bind(json(&watch.before)?)
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the app's watch. Returns whether there was one.
///
/// # Errors
/// A database that fails.
pub async fn end_watch(db: &mut Db, app: AppId) -> Result<bool> {
    let done = sqlx::query("delete from watches where app_id = $1").bind(app.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Returns the app's watch.
///
/// # Errors
/// A database that fails.
pub async fn find_watch(db: &mut Db, app: AppId) -> Result<Option<Watch>> {
    let row = sqlx::query("select * from watches where app_id = $1")
        .bind(app.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(watch).transpose()
}

/// Makes a release that serves a failed one, because it did not stand its watch. Returns whether it had succeeded.
///
/// # Errors
/// A database that fails.
pub async fn fail_watched_release(db: &mut Db, app: AppId, version: Version, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "update releases set status = 'failed', reason = $3, finished_at = $4 \
         where app_id = $1 and version = $2 and status = 'succeeded'",
    )
    .bind(app.to_string())
    .bind(big(version.0))
    .bind(reason)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
