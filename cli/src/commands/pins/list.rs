//! `pins`: the versions that the first build chose and later ones keep.

use model::pins::Pins;

use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// Show the versions that builds of an app keep
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl pins -a shop
  NAME    VERSION  ASKED FOR  BY
  python  3.11.2   >=3.11     pyproject.toml
  uv      0.9.9               default")]
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
        let body = api.get(&format!("/apps/{app}/pins"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let pins: Pins = read(&body)?;
        if pins.is_empty() {
            context
                .screen
                .say(&format!("{app} pins nothing yet; its next build chooses versions and keeps them."));
            return Ok(());
        }
        let mut table = Table::new(["NAME", "VERSION", "ASKED FOR", "BY"]);
        for (name, pin) in pins {
            let asked = pin.requested.unwrap_or_default();
            table.row([Cell::toned(Tone::Name, name), pin.version.into(), asked.into(), pin.origin.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
