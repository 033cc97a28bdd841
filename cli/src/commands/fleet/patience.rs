//! `hosts:patience`: how long hosts that are not needed stay, and how long instances may take to become hosts.

use jiff::SignedDuration;
use serde_json::Value;

use super::{change, show};
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::when;

/// Set how long unneeded hosts stay (administrators only)
///
/// One that is let go is emptied first, and the next one waits until it has gone. A load that comes back within that time finds
/// its hosts there.
///
/// An instance that no host has joined from for longer than --boot is ended, and another takes its place. Images that need longer to start
/// need more than the ten minutes that hold unless something else is said.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:patience 30m
  From now on a host that is not needed stays for 30 min.")]
pub(crate) struct Patience {
    /// Such as 90s, 10m or 2h, or `none`
    #[arg(value_name = "TIME", value_parser = parse)]
    length: Option<SignedDuration>,

    /// How long an instance may take until a host joined from it, from 1m to 20m
    #[arg(long, value_name = "TIME", value_parser = when::parse_duration)]
    boot: Option<SignedDuration>,

    #[command(flatten)]
    json: JsonOption,
}

fn parse(text: &str) -> std::result::Result<SignedDuration, String> {
    if text == "none" { Ok(SignedDuration::ZERO) } else { when::parse_duration(text) }
}

impl Patience {
    /// Sets them; without a time it shows the fleet.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let Self { length, boot, json } = self;
        let seconds = |name: &str, length: &Option<SignedDuration>| {
            Some((name.to_owned(), length.as_ref()?.as_secs().into()))
        };
        let said = [seconds("patience_seconds", length), seconds("boot_seconds", boot)];
        let wish: serde_json::Map<String, Value> = said.into_iter().flatten().collect();
        if wish.is_empty() {
            return show::show(context, *json);
        }
        change(context, *json, &Value::Object(wish), |settings| {
            let patience = length.map(|_| show::patience(settings));
            let all: Vec<String> =
                patience.into_iter().chain(boot.and_then(|_| show::boot(settings))).collect();
            format!("From now on {}.", all.join(", and "))
        })
    }
}
