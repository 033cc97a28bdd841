//! `settings`: what is set for an app.

use super::names::{SETTINGS, of_type};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// Show the settings of an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl settings -a shop
  SETTING                  VALUE                   DECIDES
  deploy-branch            main, master (default)  the branch whose push deploys
  health-path              /healthz                what health checks ask for
  …")]
pub(crate) struct List {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/settings"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let mut table = Table::new(["SETTING", "VALUE", "DECIDES"]);
        for setting in SETTINGS {
            let value = setting.shown(&body);
            table.row([setting.name.clone().into(), value.into(), Cell::toned(Tone::Faint, setting.meaning)]);
        }
        let processes = body["processes"].as_object();
        for setting in processes.into_iter().flat_map(|own| own.keys()).flat_map(|process| of_type(process)) {
            let value = setting.shown(&body);
            table.row([setting.name.into(), value.into(), Cell::toned(Tone::Faint, setting.meaning)]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
