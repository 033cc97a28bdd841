//! `hosts:headroom`: how much room is kept free.

use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Set how much room is kept free (administrators only)
///
/// It is a share of what replicas claim: with 50, half as many again start without waiting for a host.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:headroom 25
  Room for 25 % more than what runs is kept free.")]
pub(crate) struct Headroom {
    /// In percent
    percent: Option<u32>,

    #[command(flatten)]
    json: JsonOption,
}

impl Headroom {
    /// Sets it; without a number it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Some(percent) = self.percent else { return show::show(context, self.json) };
        change(context, self.json, &json!({ "headroom_percent": percent }), |settings| {
            format!("Room for {} % more than what runs is kept free.", settings.headroom_percent)
        })
    }
}
