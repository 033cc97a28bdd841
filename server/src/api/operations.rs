//! Rollouts and restarts that are under way, or were.

use model::watch::Watch;
use serde_json::{Value, json};
use store::{Operation, OperationState};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use crate::deploy;

/// Operations of a list.
const LISTED: u32 = 100;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let state = call.query.get("state").map(|text| text.parse::<OperationState>()).transpose();
    let state = state.map_err(ApiError::invalid)?;
    let operations = store::list_operations(&mut *call.read().await?, call.app().id, LISTED).await?;
    let watch = store::find_watch(&mut *call.read().await?, call.app().id).await?;
    let wanted = operations.iter().filter(|operation| state.is_none_or(|state| operation.state == state));
    Ok(Answer::ok(wanted.map(|operation| shown(operation, watch.as_ref())).collect::<Vec<Value>>().into()))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let operation = find(&call).await?;
    let steps = store::list_steps(&mut *call.read().await?, operation.id).await?;
    let watch = store::find_watch(&mut *call.read().await?, operation.app_id).await?;
    let mut shown = shown(&operation, watch.as_ref());
    shown["steps"] = steps
        .iter()
        .map(
            |step| json!({ "at": step.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(), "text": step.text }),
        )
        .collect();
    Ok(Answer::ok(shown))
}

pub(super) async fn cancel(call: Call) -> Result<Answer, ApiError> {
    let id = find(&call).await?.id;
    let operation = deploy::cancel_operation(&call.platform, call.actor(), call.app(), id).await?;
    Ok(Answer::accepted(shown(&operation, None)).noting("release", operation.version.0))
}

async fn find(call: &Call) -> Result<Operation, ApiError> {
    let missing = || ApiError::not_found("operation").hint("`paasctl releases` shows what became of each");
    let id = call.parameter("operation").parse().map_err(|_| missing())?;
    let found = store::find_operation(&mut *call.read().await?, id).await?;
    found.filter(|operation| operation.app_id == call.app().id).ok_or_else(missing)
}

/// Returns an operation; the watch is that over what it let serve, if it lasts.
fn shown(operation: &Operation, watch: Option<&Watch>) -> Value {
    let own = |watch: &&Watch| (watch.version, watch.generation) == (operation.version, operation.generation);
    json!({
        "id": operation.id,
        "kind": operation.kind,
        "state": operation.state,
        "phase": operation.phase,
        "release": { "version": operation.version.0 },
        "superseded_by": operation.superseded_by,
        "reason": operation.reason,
        "deadline": time(operation.deadline),
        "watching_until": watch.filter(own).map(|watch| time(watch.until)),
        "created_at": time(operation.created_at),
        "finished_at": operation.finished_at.map(time),
    })
}
