//! Apps: their names, settings, and what of them serves.

use jiff::Timestamp;
use model::app::AppSettings;
use model::id::{AppId, UserId};
use model::name::AppName;
use model::release::Version;
use model::stack::BuildStack;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::meta::next_number;
use crate::row::{Columns as _, big, json, now};
use crate::transaction::Db;

/// The first uid that an app gets.
pub const FIRST_UID: u64 = 200_000;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its identity.
    pub id: AppId,
    /// Its name; that of a deleted app may belong to another by now.
    pub name: AppName,
    /// Who made it.
    pub owner_id: UserId,
    /// Their address.
    pub owner_email: String,
    /// The uid and gid of its processes on every host; never reused.
    pub uid: u32,
    /// What its owner set.
    pub settings: AppSettings,
    /// What its next build makes a slug of.
    pub stack: BuildStack,
    /// What the router should send requests to: the last rollout that was done.
    pub serving: Option<Serving>,
    /// The newest generation that was handed out.
    pub generation: u64,
    /// When it was deleted. Its replicas should end.
    pub deleted_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or settings last changed.
    pub updated_at: Timestamp,
    /// When its newest release was made.
    pub released_at: Option<Timestamp>,
}

/// A release in a generation: replicas of both are those that serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// The release.
    pub version: Version,
    /// The generation, which grows when replicas must be replaced though their release stays.
    pub generation: u64,
}

macro_rules! select_app {
    ($rest:literal) => {
        concat!("select a.*, u.email as owner_email from apps a join users u on u.id = a.owner_id ", $rest)
    };
}
pub(crate) use select_app;

pub(crate) fn app(row: &AnyRow) -> Result<App> {
    let serving = match (row.number_or_none("serving_version")?, row.number_or_none("serving_generation")?) {
        (Some(version), Some(generation)) => Some(Serving { version: Version(version), generation }),
        _ => None,
    };
    Ok(App {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        owner_id: row.parsed("owner_id")?,
        owner_email: row.text("owner_email")?,
        uid: row.number("uid")?,
        settings: row.json("settings")?,
        stack: row.parsed("stack")?,
        serving,
        generation: row.number("generation_counter")?,
        deleted_at: row.time_or_none("deleted_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        released_at: row.time_or_none("released_at")?,
    })
}

/// Makes an app with the next free uid.
///
/// # Errors
/// A name that is taken.
pub async fn create_app(db: &mut Db, name: &AppName, owner: UserId) -> Result<App> {
    let id = AppId::new();
    let uid = next_number(db, "uid", FIRST_UID).await?;
    let now = now();
    // A violated constraint would end the transaction on Postgres; callers go on in theirs.
    let made = sqlx::query(
        "insert into apps (id, name, owner_id, uid, settings, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $6) on conflict do nothing",
    )
    .bind(id.to_string())
    .bind(name.as_str())
    .bind(owner.to_string())
    .bind(big(uid))
    .bind(json(&AppSettings::default())?)
    .bind(now)
    .execute(&mut *db)
    .await?;
    if made.rows_affected() == 0 {
        return Err(Error::Taken { what: "Name" });
    }
    find_app_by_id(db, id).await?.ok_or(Error::Refused("the app that was just made is gone"))
}

/// Returns the app with this name or id, unless it was deleted.
///
/// # Errors
/// A database that fails.
pub async fn find_app(db: &mut Db, name_or_id: &str) -> Result<Option<App>> {
    let row = sqlx::query(select_app!("where (a.name = $1 or a.id = $1) and a.deleted_at is null"))
        .bind(name_or_id)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(app).transpose()
}

/// Returns the app, also one that was deleted.
///
/// # Errors
/// A database that fails.
pub async fn find_app_by_id(db: &mut Db, id: AppId) -> Result<Option<App>> {
    let row = sqlx::query(select_app!("where a.id = $1")).bind(id.to_string()).fetch_optional(db).await?;
    row.as_ref().map(app).transpose()
}

/// Returns the ids of all apps that were not deleted.
///
/// # Errors
/// A database that fails.
pub async fn app_ids(db: &mut Db) -> Result<Vec<AppId>> {
    let rows = sqlx::query("select id from apps where deleted_at is null").fetch_all(db).await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

/// Returns all apps that were not deleted, by name.
///
/// # Errors
/// A database that fails.
pub async fn list_apps(db: &mut Db) -> Result<Vec<App>> {
    let rows = sqlx::query(select_app!("where a.deleted_at is null order by a.name")).fetch_all(db).await?;
    rows.iter().map(app).collect()
}

/// Returns the apps that the user owns or was invited to, by name.
///
/// # Errors
/// A database that fails.
pub async fn list_apps_of(db: &mut Db, user: UserId) -> Result<Vec<App>> {
    let rows = sqlx::query(select_app!(
        "where a.deleted_at is null and (a.owner_id = $1 or exists (select 1 from collaborators c \
         where c.app_id = a.id and c.user_id = $1)) order by a.name"
    ))
    .bind(user.to_string())
    .fetch_all(db)
    .await?;
    rows.iter().map(app).collect()
}

/// Returns how many apps there are.
///
/// # Errors
/// A database that fails.
pub async fn count_apps(db: &mut Db) -> Result<u64> {
    let row = sqlx::query("select count(*) as n from apps where deleted_at is null").fetch_one(db).await?;
    row.number("n")
}

/// Gives the app another name.
///
/// # Errors
/// A name that is taken.
pub async fn rename_app(db: &mut Db, id: AppId, name: &AppName) -> Result<()> {
    sqlx::query("update apps set name = $2, updated_at = $3 where id = $1")
        .bind(id.to_string())
        .bind(name.as_str())
        .bind(now())
        .execute(db)
        .await
        .map_err(Error::taken("Name"))?;
    Ok(())
}

/// Stores the app's settings.
///
/// # Errors
/// A database that fails.
pub async fn set_settings(db: &mut Db, id: AppId, settings: &AppSettings) -> Result<()> {
    sqlx::query("update apps set settings = $2, updated_at = $3 where id = $1")
        .bind(id.to_string())
        .bind(json(settings)?)
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}

/// Stores what the app's builds make a slug of from now on.
///
/// # Errors
/// A database that fails.
pub async fn set_stack(db: &mut Db, id: AppId, stack: BuildStack) -> Result<()> {
    sqlx::query("update apps set stack = $2, updated_at = $3 where id = $1")
        .bind(id.to_string())
        .bind(stack.as_str())
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}

/// Notes what the router should send requests to from now on.
///
/// # Errors
/// A database that fails.
pub async fn set_serving(db: &mut Db, id: AppId, serving: Serving) -> Result<()> {
    sqlx::query("update apps set serving_version = $2, serving_generation = $3 where id = $1")
        .bind(id.to_string())
        .bind(big(serving.version.0))
        .bind(big(serving.generation))
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the next generation of the app.
///
/// # Errors
/// A database that fails, or an app that is not there.
pub(crate) async fn next_generation(db: &mut Db, id: AppId) -> Result<u64> {
    let row = sqlx::query(
        "update apps set generation_counter = generation_counter + 1 where id = $1 returning generation_counter",
    )
    .bind(id.to_string())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::Refused("the app is gone"))?.number("generation_counter")
}

/// Deletes the app: it serves nothing, its name and host names are free, what it was doing is cancelled. Its replicas
/// stay wanted as they were: the reconcile loop sees `deleted_at` and ends them.
///
/// # Errors
/// A database that fails.
pub async fn delete_app(db: &mut Db, id: AppId) -> Result<()> {
    let id = id.to_string();
    let now = now();
    for statement in [
        "update apps set deleted_at = $2, updated_at = $2, serving_version = null, serving_generation = null \
         where id = $1 and deleted_at is null",
        "update operations set state = 'cancelled', reason = 'the app was destroyed', finished_at = $2 \
         where app_id = $1 and state = 'active'",
        "update releases set status = 'expired', reason = 'the app was destroyed', finished_at = $2 \
         where app_id = $1 and status = 'pending'",
        "update builds set state = 'cancelled', reason = 'the app was destroyed', finished_at = $2 \
         where app_id = $1 and state = 'queued'",
        "update builds set cancel_requested = 1 where app_id = $1 and state = 'running' and $2 > 0",
    ] {
        sqlx::query(statement).bind(&id).bind(now).execute(&mut *db).await?;
    }
    for statement in [
        "delete from domains where app_id = $1",
        "delete from collaborators where app_id = $1",
        "delete from formation where app_id = $1",
        "delete from watches where app_id = $1",
        "delete from caps where subject = $1",
    ] {
        sqlx::query(statement).bind(&id).execute(&mut *db).await?;
    }
    Ok(())
}
