//! Waiting for an operation, and ending one before its time.

use anyhow::Context as _;
use model::id::OperationId;
use model::release::ReleaseStatus;
use store::{App, Operation, OperationState, Release};

use super::change::ChangeError;
use crate::actor::Actor;
use crate::platform::Platform;

/// What a rollout came to, with everything that took its place meanwhile.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The operation at the end of the chain; it has ended.
    pub operation: Operation,
    /// The release it was about.
    pub release: Release,
}

impl Outcome {
    /// Tells whether this commit serves: a change of config that took its place carries it, a rollback does not.
    #[must_use]
    pub fn serves(&self, commit: &str) -> bool {
        self.operation.state == OperationState::Succeeded
            && self.release.commit.as_ref().is_some_and(|carried| carried.id == commit)
    }
}

/// Waits until an operation has ended, and what took its place too.
///
/// # Errors
/// The operation or its release is gone, or the database fails.
pub async fn outcome(platform: &Platform, id: OperationId) -> anyhow::Result<Outcome> {
    let mut changes = platform.changes();
    let mut id = id;
    loop {
        let mut db = platform.store.read().await?;
        let operation = store::find_operation(&mut db, id).await?.context("the operation is gone")?;
        drop(db);
        match (operation.state, operation.superseded_by) {
            (OperationState::Active, _) => changes.next().await,
            (OperationState::Superseded, Some(newer)) => id = newer,
            _ => return outcome_of(platform, operation).await,
        }
    }
}

/// Returns an ended operation with its release.
///
/// # Errors
/// The release is gone, or the database fails.
pub async fn outcome_of(platform: &Platform, operation: Operation) -> anyhow::Result<Outcome> {
    let mut db = platform.store.read().await?;
    let release = store::find_release(&mut db, operation.app_id, operation.version).await?;
    Ok(Outcome { operation, release: release.context("the release is gone")? })
}

/// Cancels an operation that is under way; what serves goes on serving.
///
/// # Errors
/// An operation that is not there or has ended.
pub async fn cancel_operation(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    id: OperationId,
) -> Result<Operation, ChangeError> {
    const HINT: &str = "`paasctl operations` shows how it ended";
    let reason = format!("cancelled by {}", actor.email);
    let mut tx = platform.store.write().await?;
    let operation = store::find_operation(&mut tx, id).await?.filter(|operation| operation.app_id == app.id);
    let operation = operation.ok_or_else(|| ChangeError::not_found("there is no such operation", HINT))?;
    if !store::finish_operation(&mut tx, id, OperationState::Cancelled, Some(&reason)).await? {
        return Err(ChangeError::invalid("the operation has already ended", HINT));
    }
    store::set_release_status(&mut tx, app.id, operation.version, ReleaseStatus::Cancelled, Some(&reason))
        .await?;
    let operation = store::find_operation(&mut tx, id).await?.unwrap_or(operation);
    tx.commit().await?;
    platform.logs.event(app.id, "api", Some(operation.version), format!("Rollout {reason}"));
    platform.wished();
    Ok(operation)
}
