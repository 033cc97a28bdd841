//! `apps`: the apps that the token may see.

use crate::api::app::App;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// List the apps
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl apps
  NAME  ADDRESS                     LAST RELEASE
  blog  http://blog.localhost:8080  3 days ago
  shop  http://shop.localhost:8080  5 min ago")]
pub(crate) struct List {
    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints the list.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = context.api()?.all("/apps")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let apps: Vec<App> = read(&body)?;
        if apps.is_empty() {
            context.screen.say("There are no apps yet. `paasctl apps:create NAME` makes one.");
            return Ok(());
        }
        let mut table = Table::new(["NAME", "ADDRESS", "LAST RELEASE"]);
        for app in apps {
            let maintenance = app.maintenance.then(|| "(maintenance)".to_owned());
            let last = [Some(when::ago(&context.screen, app.released_at)), maintenance];
            let last = last.into_iter().flatten().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
            table.row([
                Cell::toned(Tone::Name, app.name),
                app.web_url.unwrap_or_default().into(),
                last.into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
