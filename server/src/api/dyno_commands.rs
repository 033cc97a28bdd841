//! Restarting, stopping and running single processes.

use model::name::ProcessType;
use model::size::Size;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::dynos;
use super::error::ApiError;
use crate::deploy::{self, OneOff, RestartTarget};

pub(super) async fn restart_all(call: Call) -> Result<Answer, ApiError> {
    restart(call, RestartTarget::All).await
}

/// By the name of a replica, `web.1`, or of a type, `web`.
pub(super) async fn restart_one(call: Call) -> Result<Answer, ApiError> {
    let name = call.parameter("dyno").to_owned();
    let target = match name.contains('.') {
        true => RestartTarget::Replica(name),
        false => RestartTarget::Type(name.parse()?),
    };
    restart(call, target).await
}

pub(super) async fn restart_type(call: Call) -> Result<Answer, ApiError> {
    let process: ProcessType = call.parameter("process").parse()?;
    restart(call, RestartTarget::Type(process)).await
}

async fn restart(call: Call, target: RestartTarget) -> Result<Answer, ApiError> {
    let what = match &target {
        RestartTarget::All => "all".to_owned(),
        RestartTarget::Type(process) => process.to_string(),
        RestartTarget::Replica(name) => name.clone(),
    };
    let operation = deploy::restart(&call.platform, call.actor(), call.app(), target).await?;
    let id = operation.map(|operation| operation.id.to_string());
    Ok(Answer::accepted(json!({ "operation": id })).noting("what", what))
}

pub(super) async fn stop_one(call: Call) -> Result<Answer, ApiError> {
    let name = call.parameter("dyno").to_owned();
    stop(call, name).await
}

pub(super) async fn stop_type(call: Call) -> Result<Answer, ApiError> {
    let process: ProcessType = call.parameter("process").parse()?;
    stop(call, process.to_string()).await
}

async fn stop(call: Call, name: String) -> Result<Answer, ApiError> {
    deploy::stop_replicas(&call.platform, call.actor(), call.app(), &name).await?;
    Ok(Answer::accepted(Value::Object(serde_json::Map::new())).noting("what", name))
}

/// Runs a command once, detached; its output goes to the app's log.
pub(super) async fn run(call: Call) -> Result<Answer, ApiError> {
    if call.fields.flag("attach")?.unwrap_or(false) {
        return Err(ApiError::invalid("a process cannot be attached to yet")
            .hint("run it detached and follow its output: `paasctl logs --tail`"));
    }
    let size = call.fields.text("size")?.map(|size| size.parse::<Size>()).transpose();
    let seconds = call.fields.number("time_to_live")?;
    let one_off = OneOff {
        command: call.fields.required("command")?,
        size: size.map_err(ApiError::invalid)?.unwrap_or_default(),
        seconds: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
    };
    let replica = deploy::run_detached(&call.platform, call.actor(), call.app(), one_off).await?;
    let shown = dynos::wished(&call, &replica).await?;
    // The command line stays out of the audit trail: it may carry a secret.
    Ok(Answer::created(shown).noting("what", replica.name()))
}
