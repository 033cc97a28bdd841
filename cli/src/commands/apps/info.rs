//! `apps:info`: one app in detail.

use model::wording;

use crate::api::app::App;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// Show an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl apps:info -a shop
  Name          shop
  Address       http://shop.localhost:8080
  Git           http://127.0.0.1:5000/shop.git
  Owner         ada@example.com
  Stack         debian-12
  Slug          47.0 MB
  Created       2026-01-02 03:04:05 UTC (3 days ago)
  Last release  2026-01-05 03:04:05 UTC (5 min ago)
  Maintenance   off")]
pub(crate) struct Info {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Info {
    /// Prints the details.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, name) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{name}"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let app: App = read(&body)?;
        let size = |bytes: Option<u64>| bytes.map(wording::bytes).unwrap_or_default();
        let rows = [
            ("Name", app.name),
            ("Address", app.web_url.unwrap_or_default()),
            ("Git", context.credentials()?.url.repository(&name)),
            ("Owner", app.owner.map(|owner| owner.email).unwrap_or_default()),
            ("Stack", stack(app.stack.unwrap_or_default().name, app.build_stack.unwrap_or_default().name)),
            ("Slug", size(app.slug_size)),
            ("Repository", size(app.repo_size)),
            ("Created", when::exactly(&context.screen, app.created_at)),
            ("Last release", when::exactly(&context.screen, app.released_at)),
            ("Maintenance", if app.maintenance { "on" } else { "off" }.to_owned()),
        ];
        let mut table = Table::details();
        for (label, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
            table.row([Cell::toned(Tone::Faint, label), value.into()]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// Returns the stack of what serves, and that of the next build if it is another.
fn stack(serving: String, next: String) -> String {
    if next.is_empty() || next == serving {
        serving
    } else {
        format!("{serving} ({next} from the next push on)")
    }
}
