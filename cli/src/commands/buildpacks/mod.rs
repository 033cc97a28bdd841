//! The buildpacks that an app's owner set; without any, each build detects what fits.

pub(crate) mod clear;
pub(crate) mod list;
pub(crate) mod set;

use serde_json::{Value, json};

use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Returns the names in an app's settings.
fn names(settings: &Value) -> Vec<&str> {
    settings["buildpacks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Replaces the list, and says what that means for the next push.
fn replace(context: &Context, app: &AppOption, shown: &JsonOption, wanted: &[String]) -> Result<()> {
    let (api, app) = context.api_and_app(app)?;
    let body = api.patch(&format!("/apps/{app}/settings"), &json!({ "buildpacks": wanted }))?.body;
    let words = match names(&body).as_slice() {
        [] => format!("The next push to {app} detects what fits."),
        names => format!("The next push to {app} builds with {}.", names.join(", then ")),
    };
    context.screen.say(&words);
    if shown.json { context.screen.json(&body["buildpacks"]) } else { Ok(()) }
}
