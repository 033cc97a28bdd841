//! `ps:type`: how large the replicas of each process type are.

use model::name::ProcessType;
use model::size::Size;
use serde_json::{Value, json};

use super::watch::{self, Goal};
use crate::api::process::{Dyno, FormationEntry};
use crate::api::read;
use crate::commands::cost;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// Show or change the size of process types
///
/// Replicas of the new size start and answer before the old ones leave. Without a wish it shows the present sizes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl ps:type web=standard-2x -a shop
  Resizing web: Standard-1X => Standard-2X.
    web.1  starting on here
    web.1  healthy
  Done in 3.4 s.")]
pub(crate) struct Resize {
    /// web=standard-2x; or a size alone for all types
    #[arg(value_name = "TYPE=SIZE")]
    wishes: Vec<SizeWish>,

    /// Do not wait until it is observed
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

/// A size for one type, or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SizeWish {
    process: Option<ProcessType>,
    size: Size,
}

impl std::str::FromStr for SizeWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((process, size)) = text.split_once('=') else {
            return Ok(Self { process: None, size: text.parse()? });
        };
        let process = process.parse().map_err(|error: model::name::NameError| error.to_string())?;
        Ok(Self { process: Some(process), size: size.parse()? })
    }
}

impl Resize {
    /// Records the wish, then watches it come true.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let path = format!("/apps/{app}/formation");
        let body = api.all(&path)?;
        let before: Vec<FormationEntry> = read(&body)?;
        if self.wishes.is_empty() {
            return self.show(context, &body, &before);
        }
        let old: Vec<Dyno> = read(&api.all(&format!("/apps/{app}/dynos"))?)?;
        let updates = self.updates(&before);
        cost::quote(&context.screen, &api, &app, &updates);
        let after = api.patch(&path, &json!({ "updates": updates }))?.body;
        let resized = |entry: &FormationEntry| {
            before.iter().any(|was| was.r#type == entry.r#type && was.size != entry.size)
        };
        let entries: Vec<_> = read::<Vec<FormationEntry>>(&after)?.into_iter().filter(resized).collect();
        if entries.is_empty() {
            context.screen.say("They have that size already.");
            return self.json.print(context, &after);
        }
        let was = |entry: &FormationEntry| {
            before.iter().find(|was| was.r#type == entry.r#type).map_or("", |was| &was.size)
        };
        let changes: Vec<String> = entries
            .iter()
            .map(|entry| format!("{}: {} => {}", entry.r#type, was(entry), entry.size))
            .collect();
        context.screen.say(&format!("Resizing {}.", changes.join(", ")));
        if self.no_wait {
            context.screen.say(&format!("`paasctl ps -a {app}` shows how far it is."));
        } else {
            let of_these = |dyno: &&Dyno| entries.iter().any(|entry| entry.r#type == dyno.r#type);
            let leaving = old.iter().filter(of_these).map(|dyno| dyno.id.clone()).collect();
            let wanted = entries.iter().map(|entry| (entry.r#type.clone(), entry.quantity)).collect();
            watch::until_observed(&context.screen, &api, &app, &Goal { wanted, leaving })?;
        }
        if self.json.json { context.screen.json(&api.all(&path)?) } else { Ok(()) }
    }

    fn updates(&self, present: &[FormationEntry]) -> Vec<Value> {
        let all = |size: Size| {
            present.iter().map(move |entry| json!({ "type": entry.r#type, "size": size })).collect()
        };
        let one = |process: &ProcessType, size: Size| vec![json!({ "type": process, "size": size })];
        let updates = self.wishes.iter().map(|wish| match &wish.process {
            Some(process) => one(process, wish.size),
            None => all(wish.size),
        });
        updates.collect::<Vec<Vec<Value>>>().concat()
    }

    fn show(&self, context: &Context, body: &Value, entries: &[FormationEntry]) -> Result<()> {
        if self.json.json {
            return context.screen.json(body);
        }
        if entries.is_empty() {
            context
                .screen
                .say("There is nothing to resize before the first release. `git push paas main` makes it.");
            return Ok(());
        }
        let mut table = Table::new(["TYPE", "SIZE", "MEMORY", "QUANTITY"]);
        for entry in entries {
            let memory = entry.size.parse::<Size>().map(|size| format!("{} MB", size.memory_mb()));
            table.row([
                Cell::toned(Tone::Name, &entry.r#type),
                entry.size.clone().into(),
                memory.unwrap_or_default().into(),
                entry.quantity.to_string().into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}
