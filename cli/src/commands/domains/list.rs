//! `domains`: the host names of an app.

use crate::api::app::Domain;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// List the host names of an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl domains -a shop
  HOST NAME         KIND    POINT DNS TO
  shop.localhost    own
  www.example.com   custom  shop.localhost")]
pub(crate) struct List {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints the list.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.all(&format!("/apps/{app}/domains"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let domains: Vec<Domain> = read(&body)?;
        if !domains.iter().any(|domain| domain.kind == "custom") {
            context.screen.say("No domain of your own yet. `paasctl domains:add www.example.com` adds one.");
        }
        if domains.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(["HOST NAME", "KIND", "POINT DNS TO"]);
        for domain in domains {
            let kind = if domain.kind == "heroku" { "own" } else { domain.kind.as_str() };
            let target = domain.cname.unwrap_or_default();
            table.row([Cell::toned(Tone::Name, domain.hostname), kind.into(), target.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
