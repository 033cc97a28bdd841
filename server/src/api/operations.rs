//! Rollouts and restarts that are under way, or were.

use jiff::Timestamp;
use model::access::Scope;
use model::watch::Watch;
use serde_json::{Value, json};
use store::{ListedOperation, Operation, OperationState, OperationsOf};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use crate::deploy;

/// Operations of a list, unless fewer are asked for.
const LISTED: u32 = 100;

/// Lists those of the app that the path names, otherwise of all apps that one may see.
pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let state = call.query.get("state").map(|text| text.parse::<OperationState>()).transpose();
    let state = state.map_err(ApiError::invalid)?;
    let max = match call.query.get("max") {
        Some(text) => text.parse().map_err(|_| ApiError::invalid("`max` must be a number"))?,
        None => LISTED,
    };
    let of = match &call.app {
        Some(app) => OperationsOf::App(app.id),
        None if call.session().role == Scope::Admin => OperationsOf::Everybody,
        None => OperationsOf::User(call.actor().user),
    };
    let mut db = call.read().await?;
    let mut list = Vec::new();
    for listed in store::newest_operations(&mut db, of, state, max.min(LISTED)).await? {
        let watch = store::find_watch(&mut db, listed.operation.app_id).await?;
        list.push(in_list(&listed, watch.as_ref()));
    }
    Ok(Answer::ok(list.into()))
}

fn in_list(listed: &ListedOperation, watch: Option<&Watch>) -> Value {
    let operation = &listed.operation;
    let mut shown = shown(operation, watch);
    shown["app"] = json!({ "id": operation.app_id, "name": listed.app_name });
    shown["user"] = json!({ "id": operation.user_id, "email": listed.user_email });
    shown["step"] = json!(listed.last_step);
    shown["lease_until"] = match listed.lease_until {
        until if until == Timestamp::UNIX_EPOCH => Value::Null,
        until => time(until),
    };
    shown
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let operation = find(&call).await?;
    let steps = store::list_steps(&mut *call.read().await?, operation.id).await?;
    let watch = store::find_watch(&mut *call.read().await?, operation.app_id).await?;
    let mut shown = about(&call, shown(&operation, watch.as_ref()));
    let asked = store::find_user(&mut *call.read().await?, &operation.user_id.to_string()).await?;
    shown["user"] = json!({ "id": operation.user_id, "email": asked.map(|user| user.email) });
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
    Ok(Answer::accepted(about(&call, shown(&operation, None))).noting("release", operation.version.0))
}

/// Says which app it is of.
fn about(call: &Call, mut shown: Value) -> Value {
    shown["app"] = json!({ "id": call.app().id, "name": call.app().name });
    shown
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
        "owner": operation.lease_owner,
        "fence": operation.fence,
        "superseded_by": operation.superseded_by,
        "reason": operation.reason,
        "deadline": time(operation.deadline),
        "watching_until": watch.filter(own).map(|watch| time(watch.until)),
        "created_at": time(operation.created_at),
        "finished_at": operation.finished_at.map(time),
    })
}
