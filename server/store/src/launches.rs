//! Instances of a cloud: what was ordered, what it became, and what should become of it. Times are the caller's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::id::{HostId, LaunchId};
use model::instances::{Cause, InstanceId, Past, Pool, Wish};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::row::Columns as _;
use crate::tokens::hash;
use crate::transaction::Db;

/// An order for one instance, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its identity.
    pub id: LaunchId,
    /// Where its instance is to come from.
    pub pool: Pool,
    /// The image that was ordered.
    pub image: String,
    /// The user data that was ordered, sealed.
    pub sealed_user_data: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How often the cloud was asked.
    pub attempts: u32,
    /// When it may be asked (again).
    pub ask_at: Timestamp,
    /// What it became.
    pub instance: Option<InstanceId>,
    /// When the cloud first showed that.
    pub shown_at: Option<Timestamp>,
    /// What should become of it; nothing when it is over.
    pub wish: Option<Wish>,
    /// The host that joined from it.
    pub host: Option<HostId>,
}

/// An order to be written down.
#[derive(Clone, Debug)]
pub struct NewLaunch<'a> {
    /// Its identity.
    pub id: LaunchId,
    /// Where its instance is to come from.
    pub pool: &'a Pool,
    /// The image.
    pub image: &'a str,
    /// The user data, sealed.
    pub sealed_user_data: &'a str,
    /// What its machine shows once to join.
    pub nonce: &'a str,
    /// Why, as a sentence.
    pub reason: &'a str,
    /// When it was decided.
    pub at: Timestamp,
}

fn launch(row: &AnyRow) -> Result<Launch> {
    let since = row.time("wish_since")?;
    let cause = |row: &AnyRow| -> Result<Cause> { row.parsed("cause") };
    let wish = match row.text("wish")?.as_str() {
        "run" => Some(Wish::Run),
        "drain" => Some(Wish::Drain { since, cause: cause(row)? }),
        "end" => Some(Wish::End { since, cause: cause(row)? }),
        _ => None,
    };
    Ok(Launch {
        id: row.parsed("id")?,
        pool: Pool {
            zone: row.text("zone")?,
            instance_type: row.text("instance_type")?,
            lifecycle: row.parsed("lifecycle")?,
        },
        image: row.text("image")?,
        sealed_user_data: row.text("sealed_user_data")?,
        decided_at: row.time("decided_at")?,
        attempts: row.number("attempts")?,
        ask_at: row.time("ask_at")?,
        instance: row.parsed_or_none("instance_id")?,
        shown_at: row.time_or_none("shown_at")?,
        wish,
        host: row.parsed_or_none("host_id")?,
    })
}

/// Writes an order down.
///
/// # Errors
/// A database that fails.
pub async fn create_launch(db: &mut Db, new: NewLaunch<'_>) -> Result<()> {
    sqlx::query(
        "insert into launches (id, zone, instance_type, lifecycle, image, sealed_user_data, nonce_hash, reason, \
         decided_at, ask_at, wish, wish_since) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 'run', $9)",
    )
    .bind(new.id.to_string())
    .bind(&new.pool.zone)
    .bind(&new.pool.instance_type)
    .bind(new.pool.lifecycle.as_str())
    .bind(new.image)
    .bind(new.sealed_user_data)
    .bind(hash(new.nonce))
    .bind(new.reason)
    .bind(new.at.as_millisecond())
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the orders that are not over, by id.
///
/// # Errors
/// A database that fails.
pub async fn list_launches(db: &mut Db) -> Result<Vec<Launch>> {
    let rows = sqlx::query("select * from launches where wish <> 'over' order by id").fetch_all(db).await?;
    rows.iter().map(launch).collect()
}

/// Returns the orders that were over since then.
///
/// # Errors
/// A database that fails.
pub async fn list_past_launches(db: &mut Db, since: Timestamp) -> Result<Vec<Past>> {
    let rows =
        sqlx::query("select zone, wish_since, cause from launches where wish = 'over' and wish_since > $1")
            .bind(since.as_millisecond())
            .fetch_all(db)
            .await?;
    let past = |row: &AnyRow| {
        Ok(Past { zone: row.text("zone")?, at: row.time("wish_since")?, cause: row.parsed("cause")? })
    };
    rows.iter().map(past).collect()
}

/// Returns when a host last joined from an instance, for each zone.
///
/// # Errors
/// A database that fails.
pub async fn last_joined(db: &mut Db) -> Result<BTreeMap<String, Timestamp>> {
    let rows = sqlx::query(
        "select zone, max(joined_at) as joined_at from launches where joined_at is not null group by zone",
    )
    .fetch_all(db)
    .await?;
    rows.iter().map(|row| Ok((row.text("zone")?, row.time("joined_at")?))).collect()
}

/// Notes that the cloud was asked once more and when it may be asked again.
///
/// # Errors
/// A database that fails.
pub async fn set_launch_asked(db: &mut Db, id: LaunchId, ask_at: Timestamp) -> Result<()> {
    sqlx::query("update launches set attempts = attempts + 1, ask_at = $2 where id = $1")
        .bind(id.to_string())
        .bind(ask_at.as_millisecond())
        .execute(db)
        .await?;
    Ok(())
}

/// Notes what an order became, unless it is known already. `shown_at` says that the cloud shows it, too.
///
/// # Errors
/// [`Error::Taken`] if another order became that.
pub async fn set_launch_instance(
    db: &mut Db,
    id: LaunchId,
    instance: &InstanceId,
    shown_at: Option<Timestamp>,
) -> Result<()> {
    sqlx::query(
        "update launches set instance_id = $2, shown_at = coalesce(shown_at, $3) \
         where id = $1 and (instance_id is null or instance_id = $2)",
    )
    .bind(id.to_string())
    .bind(instance.as_str())
    .bind(shown_at.map(Timestamp::as_millisecond))
    .execute(db)
    .await
    .map_err(Error::taken("the instance"))?;
    Ok(())
}

/// Notes what should become of what was ordered.
///
/// # Errors
/// A database that fails.
pub async fn set_launch_wish(db: &mut Db, id: LaunchId, wish: Wish) -> Result<()> {
    let (word, since) = match wish {
        Wish::Run => ("run", None),
        Wish::Drain { since, .. } => ("drain", Some(since)),
        Wish::End { since, .. } => ("end", Some(since)),
    };
    // Nobody joins from one that is to be there no more.
    sqlx::query(
        "update launches set wish = $2, wish_since = coalesce($3, decided_at), cause = $4, \
         nonce_hash = case $2 when 'run' then nonce_hash else null end where id = $1 and wish <> 'over'",
    )
    .bind(id.to_string())
    .bind(word)
    .bind(since.map(Timestamp::as_millisecond))
    .bind(wish.cause().map(Cause::as_str))
    .execute(db)
    .await?;
    Ok(())
}

/// Ends an order: its instance is no more, or never was.
///
/// # Errors
/// A database that fails.
pub async fn end_launch(db: &mut Db, id: LaunchId, cause: Cause, at: Timestamp) -> Result<()> {
    sqlx::query(
        "update launches set wish = 'over', wish_since = $2, cause = $3, nonce_hash = null \
         where id = $1 and wish <> 'over'",
    )
    .bind(id.to_string())
    .bind(at.as_millisecond())
    .bind(cause.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the order whose machine shows this to join, if one still may.
///
/// # Errors
/// A database that fails.
pub async fn find_launch_by_nonce(db: &mut Db, nonce: &str) -> Result<Option<Launch>> {
    let row = sqlx::query("select * from launches where nonce_hash = $1")
        .bind(hash(nonce))
        .fetch_optional(db)
        .await?;
    row.as_ref().map(launch).transpose()
}

/// Tells whether a host ever joined from this instance.
///
/// # Errors
/// A database that fails.
pub async fn was_host(db: &mut Db, instance: &InstanceId) -> Result<bool> {
    let row =
        sqlx::query("select count(*) as n from launches where instance_id = $1 and host_id is not null")
            .bind(instance.as_str())
            .fetch_one(db)
            .await?;
    Ok(row.try_get::<i64, _>("n")? > 0)
}

/// Notes the host that joined from an order; false if one did before, or none may. Of many that try one succeeds.
///
/// # Errors
/// [`Error::Taken`] if another order became that instance.
pub async fn set_launch_host(
    db: &mut Db,
    id: LaunchId,
    (host, instance): (HostId, &InstanceId),
    at: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(
        "update launches set host_id = $2, instance_id = $3, joined_at = $4, shown_at = coalesce(shown_at, $4), \
         nonce_hash = null where id = $1 and nonce_hash is not null and host_id is null and wish = 'run' \
         and (instance_id is null or instance_id = $3)",
    )
    .bind(id.to_string())
    .bind(host.to_string())
    .bind(instance.as_str())
    .bind(at.as_millisecond())
    .execute(db)
    .await
    .map_err(Error::taken("the instance"))?;
    Ok(done.rows_affected() > 0)
}

/// Forgets orders that were over before then.
///
/// # Errors
/// A database that fails.
pub async fn forget_launches(db: &mut Db, before: Timestamp) -> Result<u64> {
    let done = sqlx::query("delete from launches where wish = 'over' and wish_since < $1")
        .bind(before.as_millisecond())
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
