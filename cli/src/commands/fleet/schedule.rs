//! `hosts:schedule`: times of the week at which more hosts are kept.

use serde_json::json;

use super::{NO_FLEET, change, show};
use crate::api::fleet::Fleet;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Keep more hosts at some times (administrators only)
///
/// It takes the place of what was said of the same times. Without times it lists them; `hosts:unschedule` removes one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:schedule \"weekdays 8-20\" --min 2 --time-zone Europe/Berlin
  The fleet costs $425.88 a month at least and $625.14 at most;
  it was $27.38 and $625.14.
  weekdays 8:00-20:00 Europe/Berlin: at least 2 in each zone")]
pub(crate) struct Schedule {
    /// Such as `weekdays 8-20`, `weekends 10-16`, `mon-thu,sat 22-6`
    #[arg(requires = "min")]
    when: Option<String>,

    /// The fewest hosts of each zone then
    #[arg(long, value_name = "N", requires = "when")]
    min: Option<u32>,

    /// The time zone that is meant, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,

    #[command(flatten)]
    json: JsonOption,
}

impl Schedule {
    /// Adds one, or lists them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Some(when) = &self.when else { return self.list(context) };
        let new = json!({ "when": when, "time_zone": self.time_zone, "min": self.min });
        change(context, self.json, &json!({ "schedule": new }), |settings| {
            settings.schedules.last().map(show::said).unwrap_or_default()
        })
    }

    fn list(&self, context: &Context) -> Result<()> {
        let body = context.api()?.get("/fleet")?;
        let fleet: Fleet = read(&body)?;
        if self.json.json {
            return context.screen.json(&body["settings"]["schedules"]);
        }
        let schedules = fleet.settings.map(|settings| settings.schedules).unwrap_or_default();
        match fleet.source.as_str() {
            "none" => context.screen.say(NO_FLEET),
            _ if schedules.is_empty() => context
                .screen
                .say("There is no schedule: `paasctl hosts:schedule \"weekdays 8-20\" --min 2` makes one."),
            _ => return schedules.iter().map(show::said).try_for_each(|line| context.screen.print(&line)),
        }
        Ok(())
    }
}
