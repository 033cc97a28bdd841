//! Config vars. Reading values needs the right to change them.

use model::config::ConfigVars;
use model::name::ConfigKey;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::{fields, releases};
use crate::deploy;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let vars = store::current_config(&mut db, &call.platform.vault, call.app().id).await?;
    Ok(Answer::ok(shown(&vars)))
}

pub(super) async fn of_release(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let release = releases::find(&call, &mut db, call.parameter("release")).await?;
    let vars = store::release_config(&mut db, &call.platform.vault, release.id).await?;
    Ok(Answer::ok(shown(&vars)))
}

/// Answers with the whole result, after the release was made: clients read its number next.
pub(super) async fn change(call: Call) -> Result<Answer, ApiError> {
    let (mut changes, mut set, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in &call.fields.0 {
        let key: ConfigKey = name.parse()?;
        let value = if value.is_null() { None } else { Some(fields::text(name, value)?) };
        if value.is_some() { &mut set } else { &mut removed }.push(Value::from(key.as_str()));
        changes.push((key, value));
    }
    let (vars, made) = deploy::change_config(&call.platform, call.actor(), call.app(), changes).await?;
    let answer = Answer::ok(shown(&vars)).noting("set", set).noting("removed", removed);
    let Some(made) = made else { return Ok(answer) };
    let answer = answer.noting("release", made.release.version.0);
    Ok(match made.operation {
        Some(operation) => answer.header("paas-operation", &operation.id.to_string()),
        None => answer,
    })
}

fn shown(vars: &ConfigVars) -> Value {
    let pairs = vars.iter().map(|(key, value)| (key.to_string(), Value::from(value.reveal())));
    Value::Object(pairs.collect::<Map<_, _>>())
}
