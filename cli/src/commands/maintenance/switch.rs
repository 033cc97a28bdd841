//! Turns the maintenance page on or off.

use serde_json::json;

use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Asks for it and says what visitors get from now on.
pub(super) fn switch(context: &Context, app: &AppOption, json: JsonOption, on: bool) -> Result<()> {
    let (api, app) = context.api_and_app(app)?;
    let shown = api.patch(&format!("/apps/{app}"), &json!({ "maintenance": on }))?.body;
    context.screen.say(&match on {
        true => format!("Visitors of {app} get the maintenance page; its replicas go on running."),
        false => format!("Visitors of {app} get the app again."),
    });
    json.print(context, &shown)
}
