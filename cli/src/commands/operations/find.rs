//! Finds the operation that a command is about, by the beginning of its id.

use serde_json::Value;

use crate::api::{Api, resolve_id, segment};
use crate::context::{AppOption, Context};
use crate::error::{Error, Result};

/// Operations that are looked through.
pub(super) const MOST: u16 = 100;

/// Returns where the operations are listed: those of the app if one is named, otherwise of all apps one may see.
pub(super) fn list_path(context: &Context, app: &AppOption) -> String {
    context.app(app).map_or_else(|_| "/operations".to_owned(), |app| format!("/apps/{app}/operations"))
}

/// Returns the path of the operation whose id begins so.
///
/// # Errors
/// None or several begin so.
pub(super) fn path(context: &Context, api: &Api, app: &AppOption, start: &str) -> Result<String> {
    let list: Value = api.get(&list_path(context, app))?;
    let hint = |error: Error| error.hint("`paasctl operations` lists the newest; -a names another app.");
    let id = resolve_id(&list, start, "operation").map_err(hint)?;
    let found = list.as_array().into_iter().flatten().find(|item| item["id"] == *id);
    let app = found.and_then(|item| item["app"]["name"].as_str()).unwrap_or_default();
    Ok(format!("/apps/{}/operations/{}", segment(app), segment(&id)))
}
