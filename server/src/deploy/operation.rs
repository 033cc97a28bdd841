//! Waiting for an operation, and ending one before its time.

use std::time::Duration;

use model::id::OperationId;
use model::release::ReleaseStatus;
use store::{App, Operation, OperationState};

use super::change::ChangeError;
use crate::actor::Actor;
use crate::platform::Platform;

/// How long a waiter waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Waits until an operation has ended; where a newer one took its place, until that has.
///
/// # Errors
/// The operation is gone, or the database fails.
pub async fn ended(platform: &Platform, id: OperationId) -> anyhow::Result<Operation> {
    let mut changes = platform.changes();
    let mut id = id;
    loop {
        changes.mark_unchanged();
        let mut db = platform.store.read().await?;
        let operation = store::find_operation(&mut db, id)
            .await?
            .ok_or_else(|| anyhow::anyhow!("the operation is gone"))?;
        drop(db);
        match (operation.state, operation.superseded_by) {
            (OperationState::Active, _) => {
                let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
            }
            (OperationState::Superseded, Some(newer)) => id = newer,
            _ => return Ok(operation),
        }
    }
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
    const HINT: &str = "`paasctl releases` shows how it ended";
    let reason = format!("cancelled by {}", actor.email);
    let mut tx = platform.store.write().await?;
    let operation = store::find_operation(&mut tx, id).await?.filter(|operation| operation.app_id == app.id);
    let operation = operation.ok_or_else(|| ChangeError::not_found("there is no such operation", HINT))?;
    if !store::finish_operation(&mut tx, id, OperationState::Cancelled, Some(&reason)).await? {
        return Err(ChangeError::invalid("the operation has already ended", HINT));
    }
    store::set_release_status(&mut tx, app.id, operation.version, ReleaseStatus::Failed, Some(&reason))
        .await?;
    let operation = store::find_operation(&mut tx, id).await?.unwrap_or(operation);
    tx.commit().await.map_err(store::Error::from)?;
    platform.logs.event(app.id, "api", Some(operation.version), format!("Rollout {reason}"));
    platform.wished();
    Ok(operation)
}
