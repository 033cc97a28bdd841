//! `hosts:spot`: whether hosts may be instances that the cloud takes back.

use clap::ValueEnum;
use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Try spot instances first, or not (administrators only)
///
/// They are cheaper and may be taken back: the cloud gives two minutes' notice, in which replicas start elsewhere. Where there are none, others are taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:spot on
  Spot instances are tried first.")]
pub(crate) struct Spot {
    /// on or off
    switch: Option<Switch>,

    #[command(flatten)]
    json: JsonOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Spot {
    /// Sets it; without a word it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Some(switch) = self.switch else { return show::show(context, self.json) };
        change(context, self.json, &json!({ "spot": switch == Switch::On }), |settings| {
            match settings.spot {
                true => "Spot instances are tried first.",
                false => "New hosts are no spot instances.",
            }
            .to_owned()
        })
    }
}
