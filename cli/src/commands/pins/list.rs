//! `pins`: the versions that the first build chose and later ones keep.

use model::pins::{Pin, Pins};
use model::slug::Digest;
use model::wording;

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
            let (version, asked) = (version(&pin), asked(&pin));
            table.row([Cell::toned(Tone::Name, name), version.into(), asked.into(), pin.origin.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// A pin may hold a whole list, a line each, such as the packages that a list without a lock file resolved to.
fn version(pin: &Pin) -> String {
    match pin.version.lines().count() {
        0 | 1 => pin.version.clone(),
        lines => wording::count(lines, "version"),
    }
}

/// What a list was resolved from is kept as a digest, which tells a reader nothing.
fn asked(pin: &Pin) -> String {
    let asked = pin.requested.clone().unwrap_or_default();
    if asked.parse::<Digest>().is_ok() { String::new() } else { asked }
}
