//! Versions that the first build chose, and letting the next one choose anew.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let pins = store::find_pins(&mut *call.read().await?, call.app().id).await?;
    Ok(Answer::ok(serde_json::to_value(pins).map_err(anyhow::Error::from)?))
}

/// Releases the named pins, or all of them.
pub(super) async fn upgrade(call: Call) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let pins = store::find_pins(&mut tx, call.app().id).await?;
    let names = match call.fields.get("names") {
        None => pins.keys().cloned().collect(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        }
        Some(_) => return Err(ApiError::invalid("`names` must be a list of names")),
    };
    let names: Vec<String> = names;
    for name in &names {
        if !store::delete_pin(&mut tx, call.app().id, name).await? {
            let known: Vec<&str> = pins.keys().map(String::as_str).collect();
            let message = format!("there is no pin `{}`", name.escape_debug());
            return Err(ApiError::invalid(message).hint(format!("pinned are: {}", known.join(", "))));
        }
    }
    commit(tx).await?;
    Ok(Answer::ok(json!({ "released": names })).noting("names", names))
}
