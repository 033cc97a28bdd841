//! `hosts:types`: what hosts are, in order of preference.

use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Set which instances hosts are (administrators only)
///
/// The preferred one comes first; where there is none of it, the next one is tried. All must have the same kind of
/// processor. Hosts that run stay.
/// Of a type whose name does not tell it, say gigabytes and cores: `x9.huge=16:4`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:types m7g.large,m6g.large
  New hosts are m7g.large, else m6g.large.")]
pub(crate) struct Types {
    /// Their names
    #[arg(value_name = "TYPE,…", value_delimiter = ',')]
    types: Vec<String>,

    #[command(flatten)]
    json: JsonOption,
}

impl Types {
    /// Sets them; without any it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        if self.types.is_empty() {
            return show::show(context, self.json);
        }
        change(context, self.json, &json!({ "types": self.types }), |settings| {
            let names: Vec<&str> = settings.types.iter().map(|known| known.name.as_str()).collect();
            format!("New hosts are {}.", names.join(", else "))
        })
    }
}
