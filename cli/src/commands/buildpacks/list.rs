//! `buildpacks`: what builds of an app use.

use super::names;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Show the buildpacks that an app was told to use
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl buildpacks -a shop
  python")]
pub(crate) struct List {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them in the order in which they run.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/settings"))?;
        if self.json.json {
            return context.screen.json(&body["buildpacks"]);
        }
        match names(&body).as_slice() {
            [] => {
                context.screen.say(&format!(
                    "{app} sets no buildpack; each build detects what fits. `paasctl detect` shows what that would be."
                ));
                Ok(())
            }
            names => context.screen.print(&names.join("\n")),
        }
    }
}
