//! Finds the build that a command is about, by the beginning of its id.

use model::id::BuildId;
use model::name::AppName;
use serde_json::Value;

use crate::api::{Api, resolve_id};
use crate::error::{Error, Result};

/// Builds that are looked through.
const MOST: usize = 1_000;

/// Returns the newest builds, newest first.
pub(super) fn newest(api: &Api, app: &AppName, most: usize) -> Result<Value> {
    api.newest(&format!("/apps/{app}/builds"), "created_at", most)
}

/// Returns the id of the build that begins so, or of the newest.
///
/// # Errors
/// None or several begin so. A whole id is taken as it is, however old the build.
pub(super) fn id(api: &Api, app: &AppName, start: Option<&str>) -> Result<String> {
    let Some(start) = start else {
        let newest = newest(api, app, 1)?;
        let none =
            || Error::failed(format!("{app} has no build yet")).hint("`git push paas main` starts one.");
        return newest[0]["id"].as_str().map(str::to_owned).ok_or_else(none);
    };
    if start.parse::<BuildId>().is_ok() {
        return Ok(start.to_owned());
    }
    let found = resolve_id(&newest(api, app, MOST)?, start, "build");
    found.map_err(|error| error.hint(format!("`paasctl builds -a {app}` lists its builds.")))
}
