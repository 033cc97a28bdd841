//! `releases:cancel`: ends a rollout or restart that is under way.

use serde_json::{Value, json};

use crate::api::operation::Operation;
use crate::api::{read, segment};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Cancel a rollout; what served before goes on serving
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:cancel -a shop
  Cancelled the rollout of v42 of shop.")]
pub(crate) struct Cancel {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Cancel {
    /// Cancels the one operation that can be under way.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let active: Value = api.get(&format!("/apps/{app}/operations?state=active"))?;
        let id = active[0]["id"].as_str().ok_or_else(|| {
            Error::failed(format!("no rollout of {app} is under way"))
                .hint(format!("`paasctl releases -a {app}` shows how the last one ended."))
        })?;
        let path = format!("/apps/{app}/operations/{}/actions/cancel", segment(id));
        let answer = api.post(&path, &json!({}))?.body;
        let ended: Operation = read(&answer)?;
        let version = ended.release.and_then(|release| release.version);
        let what = version.map(|version| format!(" of {version}")).unwrap_or_default();
        context.screen.say(&format!("Cancelled the rollout{what} of {app}."));
        self.json.print(context, &answer)
    }
}
