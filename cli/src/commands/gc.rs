//! `gc`: what nobody needs any more, and letting it go now instead of within ten minutes.

use model::wording;
use serde::Deserialize;
use serde_json::json;

use crate::api::{read, short_id};
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// Remove what nobody needs any more, or show what that is
///
/// The server does this by itself every ten minutes and after each release. Kept are the last 20 slugs of an app and
/// all that runs, so that a rollback finds what it needs. Needs a token of an administrator.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl gc --dry-run
  WHAT               APP   SIZE     WHY
  slug 3f1c0d9a2b7e  shop  12.0 MB  older than the last 20 slugs of its app, and nothing runs it
  12.0 MB in all.")]
pub(crate) struct Gc {
    /// Remove nothing: show what would go, and why
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    json: JsonOption,
}

#[derive(Debug, Deserialize)]
struct Preview {
    held: bool,
    garbage: Vec<Garbage>,
    bytes: u64,
    builds: u64,
    operations: u64,
}

#[derive(Debug, Deserialize)]
struct Garbage {
    kind: String,
    id: String,
    app: Option<String>,
    host: Option<String>,
    bytes: u64,
    why: String,
}

#[derive(Debug, Deserialize)]
struct Freed {
    text: String,
}

impl Gc {
    /// Removes it, or prints what it is.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        if self.dry_run {
            return self.preview(context);
        }
        let body = context.api()?.post("/collection", &json!({}))?.body;
        if self.json.json {
            return context.screen.json(&body);
        }
        let freed: Freed = read(&body)?;
        match freed.text.as_str() {
            "" => context.screen.say("There was nothing to remove."),
            text => context.screen.say(&format!("Removed {text}.")),
        }
        Ok(())
    }

    fn preview(&self, context: &Context) -> Result<()> {
        let body = context.api()?.get("/collection")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let preview: Preview = read(&body)?;
        if preview.held {
            context.screen.say("A backup is under way: slugs stay until it is done.");
        }
        if preview.garbage.is_empty() && preview.builds + preview.operations == 0 {
            context.screen.say("There is nothing to remove.");
            return Ok(());
        }
        let mut table = Table::new(["WHAT", "APP", "SIZE", "WHY"]);
        for garbage in &preview.garbage {
            table.row([
                Cell::toned(Tone::Name, format!("{} {}", garbage.kind, name(garbage))),
                garbage.app.clone().unwrap_or_default().into(),
                wording::bytes(garbage.bytes).into(),
                match &garbage.host {
                    Some(host) => format!("{}, on host {host}", garbage.why).into(),
                    None => garbage.why.clone().into(),
                },
            ]);
        }
        context.screen.print(&table.render(&context.screen))?;
        let rest = match (preview.builds, preview.operations) {
            (0, 0) => String::new(),
            (builds, operations) => {
                format!(" Also the details of {builds} old builds and {operations} old operations.")
            }
        };
        context.screen.say(&format!("{} in all.{rest}", wording::bytes(preview.bytes)));
        Ok(())
    }
}

fn name(garbage: &Garbage) -> String {
    match garbage.kind.as_str() {
        "slug" => garbage.id.chars().take(12).collect(),
        "image" | "container" => garbage.id.trim_start_matches("sha256:").chars().take(12).collect(),
        "network" => garbage.id.clone(),
        _ => short_id(&garbage.id).to_owned(),
    }
}
