//! `operations:info`: one operation with all its steps.

use super::find;
use super::list::{left, server, tone, what};
use crate::api::operation::{Operation, OperationState};
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// Show a rollout or restart and its steps
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl operations:info 0190a1b2-c3d4
  Operation  0190a1b2-c3d4-7000-8000-000000000001
  State      active
  App        shop
  What       deploy v42
  By         ada@example.com
  Server     paas1/4711
  Begun      2026-01-05 12:00:00 UTC (12 s ago)
  Time left  4 min

  11 s ago  web.1 starting
  8 s ago   web.1 healthy")]
pub(crate) struct Info {
    /// The beginning of its id
    operation: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Info {
    /// Prints the details.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let body = api.get(&find::path(context, &api, &self.app, &self.operation)?)?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let operation: Operation = read(&body)?;
        let mut table = Table::details();
        table.row([Cell::toned(Tone::Faint, "Operation"), operation.id.as_str().into()]);
        let state = Cell::toned(tone(operation.state), operation.state.word());
        table.row([Cell::toned(Tone::Faint, "State"), state]);
        for (label, value) in details(context, &operation) {
            table.row([Cell::toned(Tone::Faint, label), value.into()]);
        }
        context.screen.print(&table.render(&context.screen))?;
        if operation.steps.is_empty() {
            return Ok(());
        }
        let mut steps = Table::details();
        for step in &operation.steps {
            steps.row([
                Cell::toned(Tone::Faint, when::ago(&context.screen, step.at)),
                step.text.as_str().into(),
            ]);
        }
        context.screen.print(&format!("\n{}", steps.render(&context.screen)))
    }
}

fn details(context: &Context, operation: &Operation) -> Vec<(&'static str, String)> {
    let active = operation.state == OperationState::Active;
    let deadline = operation.deadline.filter(|_| active);
    let rows = [
        ("Reason", operation.reason.clone()),
        ("App", operation.app.as_ref().map(|app| app.name.clone())),
        ("What", Some(what(operation))),
        ("By", operation.user.as_ref().map(|user| user.email.clone())),
        ("Server", operation.owner.as_deref().map(server)),
        ("Begun", Some(when::exactly(&context.screen, operation.created_at))),
        ("Ended", Some(when::exactly(&context.screen, operation.finished_at))),
        ("Time left", deadline.map(|deadline| left(deadline, context.screen.now()))),
    ];
    rows.into_iter().filter_map(|(label, value)| Some((label, value.filter(|v| !v.is_empty())?))).collect()
}
