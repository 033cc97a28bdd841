//! Changes that are being brought about, at most one per app at a time. A newer one takes the place of an older.

use jiff::Timestamp;
use model::id::{AppId, OperationId, UserId};
use model::plan::RolloutPhase;
use model::release::{ReleaseStatus, Version};
use sqlx::any::AnyRow;

use crate::apps::next_generation;
use crate::error::{Error, Result};
use crate::releases::set_release_status;
use crate::row::{Columns as _, big, now, words};
use crate::transaction::Db;
use crate::watches::end_watch;

words! {
    /// What an operation brings about.
    OperationKind: "kind of operation" {
        /// A new slug.
        Deploy = "deploy",
        /// An older release's slug and config vars.
        Rollback = "rollback",
        /// Changed config vars.
        Config = "config",
        /// New replicas of the same release.
        Restart = "restart",
        /// Back to the release before, because its successor did not stand its watch.
        Revert = "revert",
    }
}

words! {
    /// Whether an operation is under way, or how it ended.
    OperationState: "state of operations" {
        /// It is under way.
        Active = "active",
        /// What it wanted was observed.
        Succeeded = "succeeded",
        /// It gave up; what served before serves on.
        Failed = "failed",
        /// A newer one took its place.
        Superseded = "superseded",
        /// A user ended it.
        Cancelled = "cancelled",
    }
}

/// A change that is being brought about, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its identity.
    pub id: OperationId,
    /// The app.
    pub app_id: AppId,
    /// What it brings about.
    pub kind: OperationKind,
    /// The release whose replicas it wants.
    pub version: Version,
    /// The generation of the replicas it wants.
    pub generation: u64,
    /// How far it is.
    pub phase: RolloutPhase,
    /// Whether it is under way, or how it ended.
    pub state: OperationState,
    /// What took its place.
    pub superseded_by: Option<OperationId>,
    /// Why it ended without success.
    pub reason: Option<String>,
    /// Who asked for it.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// It has failed when it is not done by then.
    pub deadline: Timestamp,
    /// Who works at it, or last did.
    pub lease_owner: Option<String>,
    /// How often that changed.
    pub fence: u64,
}

/// An operation to be begun.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// The app.
    pub app: AppId,
    /// What it brings about.
    pub kind: OperationKind,
    /// The release whose replicas it wants.
    pub version: Version,
    /// Where it begins.
    pub phase: RolloutPhase,
    /// When it has failed at the latest.
    pub deadline: Timestamp,
    /// Who asks for it.
    pub user: UserId,
}

/// A line of an operation's progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationStep {
    /// When it happened.
    pub at: Timestamp,
    /// What happened, for people.
    pub text: String,
}

pub(crate) fn operation(row: &AnyRow) -> Result<Operation> {
    Ok(Operation {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        kind: row.parsed("kind")?,
        version: Version(row.number("release_version")?),
        generation: row.number("generation")?,
        phase: row.parsed("phase")?,
        state: row.parsed("state")?,
        superseded_by: row.parsed_or_none("superseded_by")?,
        reason: row.text_or_none("reason")?,
        user_id: row.parsed("user_id")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_or_none("finished_at")?,
        deadline: row.time("deadline")?,
        lease_owner: row.text_or_none("lease_owner")?,
        fence: row.number("fence")?,
    })
}

/// Begins an operation in place of the app's active one, which is superseded; so expires the latter's release, if it
/// is another and still pending. A watch over what serves ends: what fails from now on may be for what was begun.
///
/// # Errors
/// An app that is not there.
pub async fn start_operation(db: &mut Db, new: NewOperation) -> Result<Operation> {
    let id = OperationId::new();
    // A generation of its own, so that all replicas are replaced, also those of the same release.
    let generation = next_generation(db, new.app).await?;
    let before = active_operation(db, new.app).await?;
    end_watch(db, new.app).await?;
    if let Some(before) = &before {
        end_operation(db, before.id, OperationState::Superseded, &superseded_reason(&new)).await?;
        if before.version != new.version {
            let reason = format!("superseded by {}", new.version);
            set_release_status(db, new.app, before.version, ReleaseStatus::Expired, Some(&reason)).await?;
        }
    }
    insert_operation(db, (id, generation), &new).await?;
    if let Some(before) = before {
        sqlx::query("update operations set superseded_by = $2 where id = $1")
            .bind(before.id.to_string())
            .bind(id.to_string())
            .execute(&mut *db)
            .await?;
    }
    find_operation(db, id).await?.ok_or(Error::Refused("the operation that was just begun is gone"))
}

fn superseded_reason(new: &NewOperation) -> String {
    match new.kind {
        OperationKind::Restart => "superseded by a restart".to_owned(),
        OperationKind::Deploy | OperationKind::Rollback | OperationKind::Config | OperationKind::Revert => {
            format!("superseded by {}", new.version)
        }
    }
}

async fn insert_operation(
    db: &mut Db,
    (id, generation): (OperationId, u64),
    new: &NewOperation,
) -> Result<()> {
    sqlx::query(
        "insert into operations (id, app_id, kind, release_version, generation, phase, state, user_id, \
         created_at, deadline) values ($1, $2, $3, $4, $5, $6, 'active', $7, $8, $9)",
    )
    .bind(id.to_string())
    .bind(new.app.to_string())
    .bind(new.kind.as_str())
    .bind(big(new.version.0))
    .bind(big(generation))
    .bind(new.phase.as_str())
    .bind(new.user.to_string())
    .bind(now())
    .bind(new.deadline.as_millisecond())
    .execute(db)
    .await?;
    Ok(())
}

async fn end_operation(db: &mut Db, id: OperationId, state: OperationState, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "update operations set state = $2, reason = $3, finished_at = $4 where id = $1 and state = 'active'",
    )
    .bind(id.to_string())
    .bind(state.as_str())
    .bind(Some(reason).filter(|reason| !reason.is_empty()))
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends an operation. Returns whether it was active; its release is the caller's to settle.
///
/// # Errors
/// A database that fails.
pub async fn finish_operation(
    db: &mut Db,
    id: OperationId,
    state: OperationState,
    reason: Option<&str>,
) -> Result<bool> {
    end_operation(db, id, state, reason.unwrap_or_default()).await
}

/// Goes on from the release command to the rollout; the deadline stays. Returns whether it was active.
///
/// # Errors
/// A database that fails.
pub async fn advance_operation(db: &mut Db, id: OperationId) -> Result<bool> {
    let done = sqlx::query(
        "update operations set phase = 'rolling' \
         where id = $1 and state = 'active' and phase = 'release_command'",
    )
    .bind(id.to_string())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Returns the operation.
///
/// # Errors
/// A database that fails.
pub async fn find_operation(db: &mut Db, id: OperationId) -> Result<Option<Operation>> {
    let row =
        sqlx::query("select * from operations where id = $1").bind(id.to_string()).fetch_optional(db).await?;
    row.as_ref().map(operation).transpose()
}

/// Returns the operation of the app that is under way.
///
/// # Errors
/// A database that fails.
pub async fn active_operation(db: &mut Db, app: AppId) -> Result<Option<Operation>> {
    let row = sqlx::query("select * from operations where app_id = $1 and state = 'active'")
        .bind(app.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(operation).transpose()
}

/// Returns the operation that rolled this release out; later ones may have restarted it.
///
/// # Errors
/// A database that fails.
pub async fn operation_of_release(db: &mut Db, app: AppId, version: Version) -> Result<Option<OperationId>> {
    let row = sqlx::query(
        "select id from operations where app_id = $1 and release_version = $2 \
         and kind in ('deploy', 'rollback', 'config', 'revert') order by created_at, id limit 1",
    )
    .bind(app.to_string())
    .bind(big(version.0))
    .fetch_optional(db)
    .await?;
    row.map(|row| row.parsed("id")).transpose()
}

/// Notes a line of progress.
///
/// # Errors
/// A database that fails.
pub async fn add_step(db: &mut Db, id: OperationId, text: &str) -> Result<()> {
    sqlx::query(
        "insert into operation_steps (operation_id, number, at, text) \
         select $1, coalesce(max(number), 0) + 1, $2, $3 from operation_steps where operation_id = $1",
    )
    .bind(id.to_string())
    .bind(now())
    .bind(text)
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the operation's progress, oldest line first.
///
/// # Errors
/// A database that fails.
pub async fn list_steps(db: &mut Db, id: OperationId) -> Result<Vec<OperationStep>> {
    let rows = sqlx::query("select at, text from operation_steps where operation_id = $1 order by number")
        .bind(id.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| Ok(OperationStep { at: row.time("at")?, text: row.text("text")? })).collect()
}
