//! Ending an operation before its time.

use model::id::OperationId;
use model::release::ReleaseStatus;
use store::{App, Operation, OperationState};

use super::change::ChangeError;
use crate::actor::Actor;
use crate::platform::Platform;

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
    store::set_release_status(&mut tx, app.id, operation.version, ReleaseStatus::Failed, Some(&reason)).await?;
    let operation = store::find_operation(&mut tx, id).await?.unwrap_or(operation);
    tx.commit().await.map_err(store::Error::from)?;
    platform.logs.event(app.id, "api", Some(operation.version), format!("Rollout {reason}"));
    platform.wished();
    Ok(operation)
}
