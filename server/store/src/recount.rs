//! Hosts that say what runs there before they are told what should: after a restore they may run what the database does not
//! know.

use std::collections::BTreeSet;

use model::id::HostId;
use sqlx::Row as _;

use crate::error::Result;
use crate::transaction::Db;

/// Notes of each machine that joined that it has to say what runs there. One that was lost is to run nothing when it returns.
pub(crate) async fn recount_all(db: &mut Db) -> Result<()> {
    sqlx::query(
        "insert into meta (key, value) select 'recount/' || id, '' from hosts \
         where state in ('ready', 'draining') and key_fingerprint is not null on conflict (key) do nothing",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the hosts that have not said it yet.
///
/// # Errors
/// A database that fails.
pub async fn hosts_to_recount(db: &mut Db) -> Result<BTreeSet<HostId>> {
    let rows = sqlx::query("select key from meta where key like 'recount/%'").fetch_all(db).await?;
    let mut hosts = BTreeSet::new();
    for row in rows {
        let key: String = row.try_get("key")?;
        // What names no host keeps none from anything.
        hosts.extend(key.rsplit('/').next().and_then(|id| id.parse::<HostId>().ok()));
    }
    Ok(hosts)
}

/// Notes that a host has said it. Returns whether that was still to be said.
///
/// # Errors
/// A database that fails.
pub async fn note_recounted(db: &mut Db, host: HostId) -> Result<bool> {
    let done =
        sqlx::query("delete from meta where key = $1").bind(format!("recount/{host}")).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
