//! `operations`: what is being brought about, and what was.

use jiff::Timestamp;
use model::wording;

use super::find::{self, MOST};
use crate::api::operation::{Operation, OperationState};
use crate::api::{read, short_id};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};

/// List rollouts and restarts, newest first
///
/// It is about one app if one is named (-a, `PAASCTL_APP`, git remote), otherwise about all you may see.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl operations
  OPERATION      WHAT              STATE                 AGE   LEFT   STEP
  0190a1b2-c3d4  shop deploy v42   active on paas1/4711  12 s  4 min  web.2 starting
  0190a1a0-0b1c  shop restart v41  succeeded             2 h          v41 serves; the rollout took 3.1 s")]
pub(crate) struct List {
    /// How many
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=MOST as i64))]
    most: u16,

    /// Only what is under way
    #[arg(long)]
    active: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let state = if self.active { "&state=active" } else { "" };
        let path = format!("{}?max={}{state}", find::list_path(context, &self.app), self.most);
        let body = context.api()?.get(&path)?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let operations: Vec<Operation> = read(&body)?;
        if operations.is_empty() {
            let nothing = if self.active {
                "Nothing is under way."
            } else {
                "Nothing was rolled out or restarted yet."
            };
            context.screen.say(nothing);
            return Ok(());
        }
        let mut table = Table::new(["OPERATION", "WHAT", "STATE", "AGE", "LEFT", "STEP"]);
        for operation in &operations {
            let active = operation.state == OperationState::Active;
            let server = operation.owner.as_deref().filter(|_| active).map(server);
            let state = operation.state.word();
            let state = server.map_or_else(|| state.to_owned(), |server| format!("{state} on {server}"));
            let now = context.screen.now();
            let app = operation.app.as_ref().map(|app| format!("{} ", app.name)).unwrap_or_default();
            let age = operation.created_at.map(|begun| wording::duration(now.duration_since(begun)));
            let left = operation.deadline.filter(|_| active).map(|deadline| left(deadline, now));
            table.row([
                Cell::toned(Tone::Name, short_id(&operation.id)),
                format!("{app}{}", what(operation)).into(),
                Cell::toned(tone(operation.state), state),
                age.unwrap_or_default().into(),
                left.unwrap_or_default().into(),
                operation.step.clone().or(operation.reason.clone()).unwrap_or_default().into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// Returns kind and release.
pub(super) fn what(operation: &Operation) -> String {
    let version = operation.release.as_ref().and_then(|release| release.version);
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    format!("{}{version}", operation.kind.as_deref().unwrap_or("change"))
}

/// Returns how good it is to be in this state.
pub(super) fn tone(state: OperationState) -> Tone {
    match state {
        OperationState::Succeeded => Tone::Good,
        OperationState::Failed => Tone::Bad,
        OperationState::Active => Tone::Care,
        OperationState::Superseded | OperationState::Cancelled => Tone::Plain,
    }
}

/// Returns the machine and process of a server, without what only tells its lives apart.
pub(super) fn server(owner: &str) -> String {
    owner.rsplit_once('/').map_or(owner, |(server, _)| server).to_owned()
}

/// Returns how much time is left.
pub(super) fn left(deadline: Timestamp, now: Timestamp) -> String {
    if deadline <= now { "over".to_owned() } else { wording::duration(deadline.duration_since(now)) }
}
