//! Minutes whose requests may not all be written down. A server that counts keeps a mark at the minute that it has not
//! written yet; one whose mark stays behind was killed, and what it had counted since is lost. If it writes again, it was
//! only kept from its database, and nothing is.

use std::collections::BTreeSet;
use std::ops::Range;

use sqlx::Row as _;
use uuid::Uuid;

use crate::error::Result;
use crate::meta::set_fact;
use crate::transaction::Db;

const COUNTING: &str = "metrics-counting/";
const UNCOUNTED: &str = "metrics-uncounted/";

/// Notes that a run of a server has written all that it counted before a minute.
///
/// # Errors
/// A database that fails.
pub async fn set_counting(db: &mut Db, run: Uuid, minute: u64) -> Result<()> {
    forget(db, &format!("{UNCOUNTED}{run}")).await?;
    set_fact(db, &format!("{COUNTING}{run}"), &minute.to_string()).await
}

/// Notes that a run of a server has written all that it counted, and counts no more.
///
/// # Errors
/// A database that fails.
pub async fn end_counting(db: &mut Db, run: Uuid) -> Result<()> {
    forget(db, &format!("{UNCOUNTED}{run}")).await?;
    forget(db, &format!("{COUNTING}{run}")).await
}

/// Notes that minutes may not all be counted: those at which runs stopped that have written nothing since a minute.
///
/// # Errors
/// A database that fails.
pub async fn settle_counting(db: &mut Db, since: u64) -> Result<()> {
    for (key, minute) in facts(db, COUNTING).await? {
        if number(&minute).is_none_or(|minute| minute < since) {
            set_fact(db, &key.replacen(COUNTING, UNCOUNTED, 1), &minute).await?;
            forget(db, &key).await?;
        }
    }
    Ok(())
}

/// Returns how many of some minutes may not all be counted.
///
/// # Errors
/// A database that fails.
pub async fn count_uncounted(db: &mut Db, minutes: Range<u64>) -> Result<usize> {
    let known = facts(db, UNCOUNTED).await?;
    let known: BTreeSet<u64> = known.iter().filter_map(|(_, minute)| number(minute)).collect();
    Ok(known.range(minutes).count())
}

/// Forgets the minutes before one.
///
/// # Errors
/// A database that fails.
pub async fn expire_uncounted(db: &mut Db, before: u64) -> Result<()> {
    for (key, minute) in facts(db, UNCOUNTED).await? {
        // What cannot be read is no minute.
        if number(&minute).is_none_or(|minute| minute < before) {
            forget(db, &key).await?;
        }
    }
    Ok(())
}

fn number(minute: &str) -> Option<u64> {
    minute.parse().ok()
}

/// Returns what there is under a prefix: a few, since each stands for a server, or for one that was killed.
async fn facts(db: &mut Db, prefix: &str) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query("select key, value from meta where key like $1 order by key")
        .bind(format!("{prefix}%"))
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("key")?, row.try_get("value")?))).collect()
}

async fn forget(db: &mut Db, key: &str) -> Result<()> {
    sqlx::query("delete from meta where key = $1").bind(key).execute(db).await?;
    Ok(())
}
