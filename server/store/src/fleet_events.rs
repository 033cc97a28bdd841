//! What was done about the instances of a cloud, and what a person should know of them.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::Result;
use crate::row::Columns as _;
use crate::transaction::Db;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetEvent {
    /// When.
    pub at: Timestamp,
    /// What it is about: an instance, or the alarm.
    pub about: String,
    /// What happened and why, as a sentence.
    pub message: String,
}

/// Notes that something happened.
///
/// # Errors
/// A database that fails.
pub async fn add_fleet_event(db: &mut Db, event: &FleetEvent) -> Result<()> {
    sqlx::query("insert into fleet_events (id, at, about, message) values ($1, $2, $3, $4)")
        .bind(Uuid::now_v7().to_string())
        .bind(event.at.as_millisecond())
        .bind(&event.about)
        .bind(&event.message)
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the newest events, the newest first.
///
/// # Errors
/// A database that fails.
pub async fn list_fleet_events(db: &mut Db, limit: u32) -> Result<Vec<FleetEvent>> {
    let rows = sqlx::query("select * from fleet_events order by at desc, id desc limit $1")
        .bind(i64::from(limit))
        .fetch_all(db)
        .await?;
    let event = |row: &AnyRow| {
        Ok(FleetEvent { at: row.time("at")?, about: row.text("about")?, message: row.text("message")? })
    };
    rows.iter().map(event).collect()
}

/// Forgets what happened before then.
///
/// # Errors
/// A database that fails.
pub async fn forget_fleet_events(db: &mut Db, before: Timestamp) -> Result<u64> {
    let done = sqlx::query("delete from fleet_events where at < $1")
        .bind(before.as_millisecond())
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
