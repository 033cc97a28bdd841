//! Small facts of the platform as a whole, and numbers that are handed out once.

use sqlx::Row as _;

use crate::error::Result;
use crate::row::big;
use crate::transaction::Db;

/// Returns the fact, if it was ever stored.
///
/// # Errors
/// A database that fails.
pub async fn find_fact(db: &mut Db, key: &str) -> Result<Option<String>> {
    let row = sqlx::query("select value from meta where key = $1").bind(key).fetch_optional(db).await?;
    Ok(row.map(|row| row.try_get("value")).transpose()?)
}

/// Stores the fact in place of an older one.
///
/// # Errors
/// A database that fails.
pub async fn set_fact(db: &mut Db, key: &str, value: &str) -> Result<()> {
    sqlx::query(
        "insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(db)
    .await?;
    Ok(())
}

/// Stores the fact unless there is one already, and returns the one that is there.
///
/// # Errors
/// A database that fails.
pub async fn set_fact_once(db: &mut Db, key: &str, value: &str) -> Result<String> {
    let row = sqlx::query(
        "insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = meta.value returning value",
    )
    .bind(key)
    .bind(value)
    .fetch_one(db)
    .await?;
    Ok(row.try_get("value")?)
}

/// Returns the next number of the series, `first` at first. It is never returned again once the transaction is
/// committed.
///
/// # Errors
/// A database that fails.
pub async fn next_number(db: &mut Db, series: &str, first: u64) -> Result<u64> {
    let row = sqlx::query(
        "insert into counters (name, value) values ($1, $2) \
         on conflict (name) do update set value = counters.value + 1 returning value",
    )
    .bind(series)
    .bind(big(first))
    .fetch_one(db)
    .await?;
    Ok(row.try_get::<i64, _>("value")?.unsigned_abs())
}
