//! `ps:stop`: ends replicas; those that the formation wants start again.

use serde_json::json;

use super::target::Target;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Stop a replica or all of a type
///
/// Others take the place of those that the formation wants; `ps:scale web=0` ends a type for good.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl ps:stop run.1234 -a shop
  Stopping run.1234 of shop.")]
pub(crate) struct Stop {
    /// web or web.1
    #[arg(value_name = "TYPE|REPLICA")]
    target: Target,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Stop {
    /// Asks for it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let answer = api.post(&format!("{}/actions/stop", self.target.path(&app)), &json!({}))?;
        context.screen.say(&format!("Stopping {} of {app}.", self.target));
        self.json.print(context, &answer.body)
    }
}
