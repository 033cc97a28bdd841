//! Which hosts may speak of which apps: those that have replicas of them, and those that had some not longer ago than logs
//! are kept, because what these wrote may still be on its way.

use model::id::{AppId, HostId, ReplicaId};

use crate::error::Result;
use crate::row::now;
use crate::transaction::Db;

/// For how long what a replica wrote may come after it, in milliseconds: older lines are kept nowhere.
const REMEMBERED: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Notes that a replica, whose row is about to go, was on its host until now.
pub(crate) async fn remember_replica(db: &mut Db, id: ReplicaId) -> Result<()> {
    sqlx::query(
        "insert into host_apps (host_id, app_id, left_at) \
         select host_id, app_id, $2 from replicas where id = $1 \
         on conflict (host_id, app_id) do update set left_at = excluded.left_at",
    )
    .bind(id.to_string())
    .bind(now())
    .execute(db)
    .await?;
    Ok(())
}

/// Tells whether a host has a replica of an app, or had one lately.
///
/// # Errors
/// A database that fails.
pub async fn has_run(db: &mut Db, host: HostId, app: AppId) -> Result<bool> {
    let row = sqlx::query(
        "select 1 from replicas where host_id = $1 and app_id = $2 \
         union all select 1 from host_apps where host_id = $1 and app_id = $2 and left_at > $3 limit 1",
    )
    .bind(host.to_string())
    .bind(app.to_string())
    .bind(now() - REMEMBERED)
    .fetch_optional(db)
    .await?;
    Ok(row.is_some())
}

/// Forgets what was too long ago. Returns how much that was.
///
/// # Errors
/// A database that fails.
pub async fn forget_host_apps(db: &mut Db) -> Result<u64> {
    let done =
        sqlx::query("delete from host_apps where left_at <= $1").bind(now() - REMEMBERED).execute(db).await?;
    Ok(done.rows_affected())
}
