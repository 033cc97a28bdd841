//! Replicas that are wanted on hosts. A row goes when the replica's end was observed.

use jiff::Timestamp;
use model::id::{AppId, HostId, OperationId, ReplicaId};
use model::name::ProcessType;
use model::plan::ReplicaWish;
use model::release::Version;
use model::size::Size;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::host_apps::remember_replica;
use crate::row::{Columns as _, big, now};
use crate::transaction::Db;

/// A replica that is wanted on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its identity, never reused.
    pub id: ReplicaId,
    /// The app.
    pub app_id: AppId,
    /// The release it runs.
    pub version: Version,
    /// The generation it was made in.
    pub generation: u64,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type, from 1.
    pub number: u32,
    /// The host.
    pub host_id: HostId,
    /// What should become of it.
    pub wish: ReplicaWish,
    /// Instead of the release's command for its type.
    pub command: Option<String>,
    /// How much of the host it may use.
    pub size: Size,
    /// It makes way for a new one with the same number once that one is healthy.
    pub replace: bool,
    /// The operation it was made for.
    pub operation_id: Option<OperationId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Replica {
    /// Returns the name that users see, `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.process, self.number)
    }
}

fn columns(wish: ReplicaWish) -> (&'static str, Option<i64>, Option<i64>) {
    match wish {
        ReplicaWish::Run => ("run", None, None),
        ReplicaWish::Once { seconds } => ("once", Some(i64::from(seconds)), None),
        ReplicaWish::Drain { until } => ("drain", None, Some(until.as_millisecond())),
        ReplicaWish::Stop => ("stop", None, None),
    }
}

fn wish(row: &AnyRow) -> Result<ReplicaWish> {
    Ok(match row.text("wish")?.as_str() {
        "run" => ReplicaWish::Run,
        "once" => ReplicaWish::Once { seconds: row.number("once_seconds")? },
        "drain" => ReplicaWish::Drain { until: row.time("drain_deadline")? },
        _ => ReplicaWish::Stop,
    })
}

pub(crate) fn replica(row: &AnyRow) -> Result<Replica> {
    Ok(Replica {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        version: Version(row.number("release_version")?),
        generation: row.number("generation")?,
        process: row.parsed("type")?,
        number: row.number("number")?,
        host_id: row.parsed("host_id")?,
        wish: wish(row)?,
        command: row.text_or_none("command")?,
        size: row.parsed("size")?,
        replace: row.flag("replace_wanted")?,
        operation_id: row.parsed_or_none("operation_id")?,
        created_at: row.time("created_at")?,
    })
}

/// A replica to be wanted.
#[derive(Clone, Debug)]
pub struct NewReplica {
    /// The app.
    pub app: AppId,
    /// The release it runs.
    pub version: Version,
    /// The generation it is made in.
    pub generation: u64,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type, from 1.
    pub number: u32,
    /// The host.
    pub host: HostId,
    /// What should become of it.
    pub wish: ReplicaWish,
    /// Instead of the release's command for its type.
    pub command: Option<String>,
    /// How much of the host it may use.
    pub size: Size,
    /// The operation it is made for.
    pub operation: Option<OperationId>,
}

/// Wants a replica on a host.
///
/// # Errors
/// A release or host that is not there.
pub async fn create_replica(db: &mut Db, new: NewReplica) -> Result<Replica> {
    let created = insert_replica(db, (ReplicaId::new(), false), new).await?;
    created.ok_or(Error::Refused("the replica was not stored"))
}

/// Wants one that a host runs already and that nobody here knew of, until another of its number serves in its place. Returns
/// nothing if there is one of this identity.
///
/// # Errors
/// A release or host that is not there.
pub async fn adopt_replica(db: &mut Db, id: ReplicaId, new: NewReplica) -> Result<Option<Replica>> {
    insert_replica(db, (id, true), new).await
}

async fn insert_replica(
    db: &mut Db,
    (id, replace): (ReplicaId, bool),
    new: NewReplica,
) -> Result<Option<Replica>> {
    let (wish, once_seconds, drain_deadline) = columns(new.wish);
    let row = sqlx::query(
        "insert into replicas (id, app_id, release_version, generation, type, number, host_id, wish, \
         once_seconds, drain_deadline, command, size, replace_wanted, operation_id, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         on conflict (id) do nothing returning *",
    )
    .bind(id.to_string())
    .bind(new.app.to_string())
    .bind(big(new.version.0))
    .bind(big(new.generation))
    .bind(new.process.as_str())
    .bind(i64::from(new.number))
    .bind(new.host.to_string())
    .bind(wish)
    .bind(once_seconds)
    .bind(drain_deadline)
    .bind(new.command)
    .bind(new.size.as_str())
    .bind(i64::from(replace))
    .bind(new.operation.map(|id| id.to_string()))
    .bind(now())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(replica).transpose()
}

/// Returns the replicas of all apps, by app.
///
/// # Errors
/// A database that fails.
pub async fn list_all_replicas(db: &mut Db) -> Result<Vec<Replica>> {
    let rows = sqlx::query("select * from replicas order by app_id, type, number, id").fetch_all(db).await?;
    rows.iter().map(replica).collect()
}

/// Returns the app's replicas by type and number.
///
/// # Errors
/// A database that fails.
pub async fn list_replicas(db: &mut Db, app: AppId) -> Result<Vec<Replica>> {
    let rows = sqlx::query("select * from replicas where app_id = $1 order by type, number, id")
        .bind(app.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(replica).collect()
}

/// Returns the replicas on a host, by app, type and number.
///
/// # Errors
/// A database that fails.
pub async fn list_host_replicas(db: &mut Db, host: HostId) -> Result<Vec<Replica>> {
    let rows = sqlx::query("select * from replicas where host_id = $1 order by app_id, type, number, id")
        .bind(host.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(replica).collect()
}

/// Says what should become of the replica from now on.
///
/// # Errors
/// A database that fails.
pub async fn set_wish(db: &mut Db, id: ReplicaId, wish: ReplicaWish) -> Result<()> {
    let (wish, once_seconds, drain_deadline) = columns(wish);
    sqlx::query("update replicas set wish = $2, once_seconds = $3, drain_deadline = $4 where id = $1")
        .bind(id.to_string())
        .bind(wish)
        .bind(once_seconds)
        .bind(drain_deadline)
        .execute(db)
        .await?;
    Ok(())
}

/// Says whether the replica should make way for a new one.
///
/// # Errors
/// A database that fails.
pub async fn set_replace(db: &mut Db, id: ReplicaId, replace: bool) -> Result<()> {
    sqlx::query("update replicas set replace_wanted = $2 where id = $1")
        .bind(id.to_string())
        .bind(i64::from(replace))
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets the replica: its end was observed. Its host may speak of its app for a while yet: [`crate::has_run`].
///
/// # Errors
/// A database that fails.
pub async fn delete_replica(db: &mut Db, id: ReplicaId) -> Result<()> {
    remember_replica(db, id).await?;
    sqlx::query("delete from replicas where id = $1").bind(id.to_string()).execute(db).await?;
    Ok(())
}
