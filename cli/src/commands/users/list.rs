//! `users`: everybody who may use the platform.

use crate::api::access::User;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// List the users of the platform
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl users
  USER             SCOPE  SINCE
  ada@example.com  admin  3 days ago
  bob@example.com  write  2 h ago")]
pub(crate) struct List {
    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = context.api()?.all("/users")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let mut table = Table::new(["USER", "SCOPE", "SINCE"]);
        for user in read::<Vec<User>>(&body)? {
            let since = when::ago(&context.screen, user.created_at);
            let scope = if user.disabled { "(disabled)".to_owned() } else { user.scope.unwrap_or_default() };
            table.row([Cell::toned(Tone::Name, user.email), scope.into(), since.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
