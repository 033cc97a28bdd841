//! Where it is written down what should become of instances, and what was decided about the fleet beforehand.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use model::cost::{Costs, Ground};
use model::instances::{InstanceId, Settings};
use serde::Serialize;
use store::{Db, Store, Transaction};

/// Under which the settings are stored.
pub const SETTINGS: &str = "fleet_settings";

/// Under which it is stored what the fleet stands on.
const GROUND: &str = "fleet_ground";

/// Under which it is stored which instances that nobody ordered were ended lately.
const DISMISSED: &str = "fleet_dismissed";

/// The database as whoever decides has it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Begins to read.
    ///
    /// # Errors
    /// A database that fails.
    async fn read(&self) -> store::Result<Transaction>;

    /// Begins to write; nothing if another server decides by now.
    ///
    /// # Errors
    /// A database that fails.
    async fn write(&self) -> store::Result<Option<Transaction>>;
}

/// A store that nobody else decides on.
#[async_trait]
impl Ledger for Store {
    async fn read(&self) -> store::Result<Transaction> {
        Store::read(self).await
    }

    async fn write(&self) -> store::Result<Option<Transaction>> {
        Store::write(self).await.map(Some)
    }
}

/// Returns what was decided about the fleet beforehand, if anything was.
///
/// # Errors
/// A database that fails, or settings that a newer version wrote.
pub async fn find_settings(db: &mut Db) -> store::Result<Option<Settings>> {
    let Some(text) = store::find_fact(db, SETTINGS).await? else { return Ok(None) };
    let damaged = |error: serde_json::Error| store::Error::Damaged {
        column: SETTINGS.to_owned(),
        why: format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column()),
    };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// Decides about the fleet from now on.
///
/// # Errors
/// A database that fails.
pub async fn set_settings(db: &mut Db, settings: &Settings) -> store::Result<()> {
    store::set_fact(db, SETTINGS, &text(SETTINGS, settings)?).await
}

/// Returns what the fleet was last seen to stand on; nothing if that was never seen, or if another version wrote it down: it
/// is seen again soon.
///
/// # Errors
/// A database that fails.
pub async fn find_ground(db: &mut Db) -> store::Result<Option<Ground>> {
    let text = store::find_fact(db, GROUND).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Writes down what the fleet was seen to stand on.
///
/// # Errors
/// A database that fails.
pub async fn set_ground(db: &mut Db, ground: &Ground) -> store::Result<()> {
    store::set_fact(db, GROUND, &text(GROUND, ground)?).await
}

/// Returns the instances that nobody ordered and that were ended since then. What another version wrote down is taken for nothing:
/// that is forgotten within an hour anyway.
pub(crate) async fn find_dismissed(
    db: &mut Db,
    since: Timestamp,
) -> store::Result<BTreeMap<InstanceId, Timestamp>> {
    let text = store::find_fact(db, DISMISSED).await?;
    let mut all: BTreeMap<InstanceId, Timestamp> =
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    all.retain(|_, at| *at > since);
    Ok(all)
}

/// Writes down that one of them is ended, and forgets those before `since`.
pub(crate) async fn dismiss(
    db: &mut Db,
    id: &InstanceId,
    at: Timestamp,
    since: Timestamp,
) -> store::Result<()> {
    let mut all = find_dismissed(db, since).await?;
    all.insert(id.clone(), at);
    store::set_fact(db, DISMISSED, &text(DISMISSED, &all)?).await
}

fn text(key: &str, value: &impl Serialize) -> store::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| store::Error::Damaged { column: key.to_owned(), why: error.to_string() })
}

/// Returns all that decides what the platform costs; nothing without settings. The fleet stands on what was last seen, or on what
/// is usual.
///
/// # Errors
/// A database that fails, or what a newer version wrote.
pub async fn find_costs(db: &mut Db) -> store::Result<Option<Costs>> {
    let Some(settings) = find_settings(db).await? else { return Ok(None) };
    let ground = find_ground(db).await?.unwrap_or_else(|| Ground::usual(settings.zones.len()));
    let (apps, caps) = (store::all_formations(db).await?, store::list_caps(db).await?);
    Ok(Some(Costs { settings, ground, apps, caps }))
}
