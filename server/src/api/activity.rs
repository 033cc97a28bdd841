//! The audit trail, newest first.

use serde_json::{Value, json};
use store::Activity;

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;

/// Rows when nobody says how many, and most rows.
const ROWS: u32 = 100;
const ROWS_MAX: u32 = 1000;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let max = match call.query.get("max") {
        Some(text) => text.parse().map_err(|_| ApiError::invalid("`max` must be a number"))?,
        None => ROWS,
    };
    let app = call.app.as_ref().map(|app| app.id);
    let rows = store::list_activities(&mut *call.read().await?, app, max.min(ROWS_MAX)).await?;
    Ok(Answer::ok(rows.iter().map(shown).collect::<Vec<Value>>().into()))
}

fn shown(activity: &Activity) -> Value {
    let named = |id: Option<String>, key: &str, name: &Option<String>| match (id, name) {
        (None, None) => Value::Null,
        (id, name) => json!({ "id": id, key: name }),
    };
    json!({
        "id": activity.id,
        "at": activity.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "actor": named(activity.user_id.map(|id| id.to_string()), "email", &activity.user_email),
        "token": named(activity.token_id.map(|id| id.to_string()), "name", &activity.token_name),
        "action": activity.action,
        "app": named(activity.app_id.map(|id| id.to_string()), "name", &activity.app_name),
        "detail": activity.detail,
        "remote": activity.remote,
    })
}
