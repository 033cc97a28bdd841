//! `ps:scale`: how many replicas of each process type there should be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::watch::{self, Goal};
use crate::api::process::FormationEntry;
use crate::api::read;
use crate::arguments::ScaleWish;
use crate::commands::cost;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Change how many replicas run
///
/// It waits until what was asked is what is observed. Without a wish it shows the present scale.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl ps:scale web=3 worker+1 -a shop
  Scaling web: 1 => 3, worker: 1 => 2.
    web.2  starting on here
    web.3  starting on here
    worker.2  starting on here
    web.2  healthy
    worker.2  healthy
    web.3  healthy
  Done in 4.1 s.")]
pub(crate) struct Scale {
    /// web=4, web+1 or web-1; with a size: web=4:Standard-2X
    #[arg(value_name = "TYPE=QUANTITY")]
    wishes: Vec<ScaleWish>,

    /// Do not wait until it is observed
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Scale {
    /// Records the wish, then watches it come true.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let path = format!("/apps/{app}/formation");
        let before = api.all(&path)?;
        if self.wishes.is_empty() {
            return self.show(context, &before);
        }
        let updates: Vec<_> = self.wishes.iter().map(update).collect();
        cost::quote(&context.screen, &api, &app, &updates);
        let after = api.patch(&path, &json!({ "updates": updates }))?.body;
        let asked =
            |entry: &FormationEntry| self.wishes.iter().any(|wish| wish.process.as_str() == entry.r#type);
        let entries: Vec<_> = read::<Vec<FormationEntry>>(&after)?.into_iter().filter(asked).collect();
        context.screen.say(&format!("Scaling {}.", changes(&read::<Vec<_>>(&before)?, &entries)));
        if self.no_wait {
            context.screen.say(&format!("`paasctl ps -a {app}` shows how far it is."));
        } else {
            let (served, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_served(entry));
            for entry in others.iter().filter(|entry| entry.quantity > 0) {
                context.screen.say(&format!(
                    "No release that serves has {}: it starts with the next one that does.",
                    entry.r#type
                ));
            }
            let wanted: BTreeMap<_, _> =
                served.into_iter().map(|entry| (entry.r#type.clone(), entry.quantity)).collect();
            if !wanted.is_empty() {
                watch::until_observed(&context.screen, &api, &app, &Goal { wanted, leaving: Vec::new() })?;
            }
        }
        if self.json.json { context.screen.json(&api.all(&path)?) } else { Ok(()) }
    }

    fn show(&self, context: &Context, formation: &Value) -> Result<()> {
        if self.json.json {
            return context.screen.json(formation);
        }
        let entries: Vec<FormationEntry> = read(formation)?;
        if entries.is_empty() {
            context
                .screen
                .say("There is nothing to scale before the first release. `git push paas main` makes it.");
            return Ok(());
        }
        let shown = |entry: &FormationEntry| format!("{}={}:{}", entry.r#type, entry.quantity, entry.size);
        context.screen.print(&entries.iter().map(shown).collect::<Vec<_>>().join(" "))
    }
}

/// Tells whether what serves has the process type; replicas of another will not come by themselves.
fn is_served(entry: &FormationEntry) -> bool {
    entry.command.as_ref().is_none_or(|command| !command.is_empty())
}

fn update(wish: &ScaleWish) -> Value {
    let mut update = json!({ "type": wish.process, "quantity": wish.quantity });
    if let Some(size) = wish.size {
        update["size"] = json!(size);
    }
    update
}

fn changes(before: &[FormationEntry], after: &[FormationEntry]) -> String {
    let before: BTreeMap<_, _> = before.iter().map(|entry| (&entry.r#type, entry)).collect();
    let change = |entry: &FormationEntry| {
        let old = before.get(&entry.r#type);
        let resized = old.is_some_and(|old| old.size != entry.size);
        let size = if resized { format!(" of size {}", entry.size) } else { String::new() };
        format!("{}: {} => {}{size}", entry.r#type, old.map_or(0, |old| old.quantity), entry.quantity)
    };
    after.iter().map(change).collect::<Vec<_>>().join(", ")
}
