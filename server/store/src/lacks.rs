//! What pools of instances lacked, for as long as it is remembered.

use jiff::Timestamp;
use model::instances::Lack;
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, json};
use crate::transaction::Db;

/// Remembers what a pool lacks, in place of what was remembered of the same.
///
/// # Errors
/// A database that fails.
pub async fn remember_lack(db: &mut Db, lack: &Lack) -> Result<()> {
    sqlx::query(
        "insert into lacks (scope, reason, until) values ($1, $2, $3) \
         on conflict (scope) do update set reason = excluded.reason, until = excluded.until",
    )
    .bind(json(&lack.of)?)
    .bind(&lack.reason)
    .bind(lack.until.as_millisecond())
    .execute(db)
    .await?;
    Ok(())
}

/// Returns what is lacking now.
///
/// # Errors
/// A database that fails.
pub async fn list_lacks(db: &mut Db, now: Timestamp) -> Result<Vec<Lack>> {
    let rows = sqlx::query("select * from lacks where until > $1 order by scope")
        .bind(now.as_millisecond())
        .fetch_all(db)
        .await?;
    let lack = |row: &AnyRow| {
        Ok(Lack { of: row.json("scope")?, reason: row.text("reason")?, until: row.time("until")? })
    };
    rows.iter().map(lack).collect()
}

/// Forgets what was lacking until then.
///
/// # Errors
/// A database that fails.
pub async fn forget_lacks(db: &mut Db, now: Timestamp) -> Result<u64> {
    let done =
        sqlx::query("delete from lacks where until <= $1").bind(now.as_millisecond()).execute(db).await?;
    Ok(done.rows_affected())
}
