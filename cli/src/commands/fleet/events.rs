//! `aws:events`: what was done about instances, and why.

use model::wording;
use serde_json::Value;

use super::NO_FLEET;
use crate::api::fleet::{Fleet, FleetEvent};
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Longest message that is shown; the server's are shorter.
const MESSAGE_MAX: usize = 600;

/// Show what became of instances (administrators only)
///
/// The newest come last. They are kept for thirty days.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:events -n 2
  2026-01-05 11:55:00 UTC  launch 0198…  m7g.large (on-demand) in us-east-1a
    is asked for: 2 replicas wait for room
  2026-01-05 11:55:02 UTC  i-0abc  the cloud gave it")]
pub(crate) struct Events {
    /// How many
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    most: u16,

    #[command(flatten)]
    json: JsonOption,
}

impl Events {
    /// Prints them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let mut body = api.get(&format!("/fleet/events?max={}", self.most))?;
        if let Value::Array(events) = &mut body {
            events.reverse();
        }
        if self.json.json {
            return context.screen.json(&body);
        }
        let events: Vec<FleetEvent> = read(&body)?;
        if events.is_empty() {
            let fleet: Fleet = read(&api.get("/fleet")?)?;
            context.screen.say(match fleet.source.as_str() {
                "none" => NO_FLEET,
                _ => "Nothing was done about instances in the last thirty days.",
            });
        }
        events.iter().try_for_each(|event| context.screen.print(&line(event)))
    }
}

fn line(event: &FleetEvent) -> String {
    let at = event.at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let (about, message) = (wording::plain(&event.about, 100), wording::plain(&event.message, MESSAGE_MAX));
    format!("{at}  {about}  {message}")
}
