//! Holds off the collection while a backup copies what the database names. A hold ends by itself, so that a backup that
//! is killed keeps nothing for ever.

use jiff::Timestamp;
use sqlx::Row as _;

use crate::error::Result;
use crate::meta::set_fact;
use crate::transaction::Db;

const KEY: &str = "backup-hold/";

/// Holds the collection off until then, or prolongs the hold of this name.
///
/// # Errors
/// A database that fails.
pub async fn hold_collection(db: &mut Db, name: &str, until: Timestamp) -> Result<()> {
    set_fact(db, &format!("{KEY}{name}"), &until.as_millisecond().to_string()).await
}

/// Ends the hold of this name, and what is left of holds that nobody ended.
///
/// # Errors
/// A database that fails.
pub async fn end_hold(db: &mut Db, name: &str) -> Result<()> {
    for (key, until) in holds(db).await? {
        if key == format!("{KEY}{name}") || until <= Timestamp::now() {
            sqlx::query("delete from meta where key = $1").bind(key).execute(&mut *db).await?;
        }
    }
    Ok(())
}

/// Tells whether something holds the collection off now: nothing that was needed lately may be removed then.
///
/// # Errors
/// A database that fails.
pub async fn is_collection_held(db: &mut Db) -> Result<bool> {
    Ok(holds(db).await?.iter().any(|(_, until)| *until > Timestamp::now()))
}

async fn holds(db: &mut Db) -> Result<Vec<(String, Timestamp)>> {
    let rows = sqlx::query("select key, value from meta where key like $1")
        .bind(format!("{KEY}%"))
        .fetch_all(db)
        .await?;
    let hold = |row: &sqlx::any::AnyRow| {
        let until: String = row.try_get("value")?;
        // What cannot be read holds nothing.
        let until = until.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok((row.try_get("key")?, until.unwrap_or(Timestamp::UNIX_EPOCH)))
    };
    rows.iter().map(hold).collect()
}
