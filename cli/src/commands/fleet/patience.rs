//! `hosts:patience`: how long hosts that are not needed stay.

use jiff::SignedDuration;
use serde_json::json;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::when;

/// Set how long unneeded hosts stay (administrators only)
///
/// One that is let go is emptied first, and the next one waits until it has gone. A load that comes back within that time finds
/// its hosts there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:patience 30m
  From now on a host that is not needed stays for 30 min.")]
pub(crate) struct Patience {
    /// Such as 90s, 10m or 2h, or `none`
    #[arg(value_name = "TIME", value_parser = parse)]
    length: Option<SignedDuration>,

    #[command(flatten)]
    json: JsonOption,
}

fn parse(text: &str) -> std::result::Result<SignedDuration, String> {
    if text == "none" { Ok(SignedDuration::ZERO) } else { when::parse_duration(text) }
}

impl Patience {
    /// Sets it; without a time it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Some(length) = self.length else { return show::show(context, self.json) };
        change(context, self.json, &json!({ "patience_seconds": length.as_secs() }), |settings| {
            format!("From now on {}.", show::patience(settings))
        })
    }
}
