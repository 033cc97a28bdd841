//! `hosts:bounds`: the fewest and the most hosts of a zone, and how many are replaced within an hour.

use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Set a zone's fewest and most hosts (administrators only)
///
/// The most is never exceeded, whatever waits. Hosts go by being emptied first. Those that fail, and those of an older image, are replaced
/// by others, six within an hour unless more are allowed: what fails again and again is then not paid for again and again.
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

    /// The most hosts that are replaced within an hour, in all zones together
    #[arg(long, value_name = "N")]
    replace_per_hour: Option<u32>,

    #[command(flatten)]
    json: JsonOption,
}

impl Bounds {
    /// Sets them; without any it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Self { zone, min, max, replace_per_hour, json } = self;
        if min.is_none() && max.is_none() && replace_per_hour.is_none() {
            return show::show(context, *json);
        }
        let body = json!({ "zone": zone, "min": min, "max": max, "replaced_per_hour": replace_per_hour });
        change(context, *json, &body, |settings| {
            let bounded = min.is_some() || max.is_some();
            let meant = |name: &str| bounded && zone.as_deref().is_none_or(|zone| zone == name);
            let zones = settings.zones.iter().filter(|zone| meant(&zone.name));
            let said = zones.map(|zone| {
                let hosts = model::wording::count(zone.min as usize, "host");
                format!("{} has {hosts} at least and {} at most.", zone.name, zone.max)
            });
            let replaced = replace_per_hour.map(|hosts| {
                let hosts = model::wording::count(hosts as usize, "host");
                format!("No more than {hosts} an hour will be replaced.")
            });
            said.chain(replaced).collect::<Vec<_>>().join("\n")
        })
    }
}
