//! `operations:cancel`: ends a rollout or restart that is under way.

use serde_json::json;

use super::find;
use super::list::what;
use crate::api::operation::Operation;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Cancel a rollout or restart; what serves goes on serving
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl operations:cancel 0190a1b2-c3d4
  Cancelled deploy v42 of shop; what served before goes on serving.")]
pub(crate) struct Cancel {
    /// The beginning of its id
    operation: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Cancel {
    /// Cancels it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let path = find::path(context, &api, &self.app, &self.operation)?;
        let body = api.post(&format!("{path}/actions/cancel"), &json!({}))?.body;
        if self.json.json {
            return context.screen.json(&body);
        }
        let ended: Operation = read(&body)?;
        let app = ended.app.as_ref().map(|app| format!(" of {}", app.name)).unwrap_or_default();
        context.screen.say(&format!("Cancelled {}{app}; what served before goes on serving.", what(&ended)));
        Ok(())
    }
}
