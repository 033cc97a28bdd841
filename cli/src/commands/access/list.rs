//! `access`: who may work with an app.

use crate::api::access::Collaborator;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// List who may work with an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl access -a shop
  USER             ROLE          SCOPE  SINCE
  ada@example.com  owner         admin  3 days ago
  bob@example.com  collaborator  write  2 h ago")]
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
        let body = api.all(&format!("/apps/{app}/collaborators"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let people: Vec<Collaborator> = read(&body)?;
        if people.is_empty() {
            context
                .screen
                .say(&format!("Only its owner works with {app}. `paasctl access:add EMAIL` adds somebody."));
            return Ok(());
        }
        let mut table = Table::new(["USER", "ROLE", "SCOPE", "SINCE"]);
        for person in people {
            let since = when::ago(&context.screen, person.created_at);
            let (role, scope) = (person.role.unwrap_or_default(), person.scope.unwrap_or_default());
            table.row([Cell::toned(Tone::Name, person.user.email), role.into(), scope.into(), since.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
