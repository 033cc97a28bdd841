//! `maintenance`: whether visitors get the maintenance page.

use serde_json::json;

use crate::api::app::App;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Tell whether visitors get the maintenance page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl maintenance -a shop
  off")]
pub(crate) struct Show {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Show {
    /// Prints `on` or `off`.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, name) = context.api_and_app(&self.app)?;
        let app: App = read(&api.get(&format!("/apps/{name}"))?)?;
        if self.json.json {
            return context.screen.json(&json!({ "maintenance": app.maintenance }));
        }
        context.screen.print(if app.maintenance { "on" } else { "off" })
    }
}
