//! `hosts:unschedule`: times at which no more hosts than usual are kept any more.

use serde_json::json;

use super::change;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// End a schedule of hosts (administrators only)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:unschedule \"weekdays 8-20\"
  1 schedule is left.")]
pub(crate) struct Unschedule {
    /// As it was said to `hosts:schedule`
    when: String,

    /// Only that of this time zone
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,

    #[command(flatten)]
    json: JsonOption,
}

impl Unschedule {
    /// Removes them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let gone = json!({ "when": self.when, "time_zone": self.time_zone });
        change(context, self.json, &json!({ "unschedule": gone }), |settings| {
            match settings.schedules.len() {
                0 => "No schedule is left.".to_owned(),
                1 => "1 schedule is left.".to_owned(),
                count => format!("{count} schedules are left."),
            }
        })
    }
}
