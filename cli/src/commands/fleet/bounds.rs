//! `hosts:bounds`: the fewest and the most hosts of a zone.

use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Set a zone's fewest and most hosts (administrators only)
///
/// The most is never exceeded, whatever waits. Hosts go by being emptied first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:bounds us-east-1a --min 1 --max 4
  The fleet costs $93.79 a month at least and $691.56 at most;
  it was $27.38 and $625.14.
  us-east-1a has 1 host at least and 4 at most.")]
pub(crate) struct Bounds {
    /// Which zone; otherwise each
    zone: Option<String>,

    /// The fewest hosts
    #[arg(long, value_name = "N")]
    min: Option<u32>,

    /// The most hosts
    #[arg(long, value_name = "N")]
    max: Option<u32>,

    #[command(flatten)]
    json: JsonOption,
}

impl Bounds {
    /// Sets them; without any it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        if self.min.is_none() && self.max.is_none() {
            return show::show(context, self.json);
        }
        let body = json!({ "zone": self.zone, "min": self.min, "max": self.max });
        change(context, self.json, &body, |settings| {
            let meant = |name: &str| self.zone.as_deref().is_none_or(|zone| zone == name);
            let zones = settings.zones.iter().filter(|zone| meant(&zone.name));
            let said = zones.map(|zone| {
                let hosts = model::wording::count(zone.min as usize, "host");
                format!("{} has {hosts} at least and {} at most.", zone.name, zone.max)
            });
            said.collect::<Vec<_>>().join("\n")
        })
    }
}
