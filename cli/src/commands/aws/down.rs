//! `aws:down`: removes what `aws:up` and the platform made.

use aws::setup::{Patience, bill_found, down, look_before_leaving, removal};
use model::wording;
use serde_json::json;

use super::consent::consent;
use super::options::{PricesOption, WhereOptions};
use super::{failed, shown, stopped, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Remove all that carries the platform's tag on AWS
///
/// It shows first what it will remove and what that saves, and asks. What it did not make, such as an adopted network, stays as it is. So does what cannot be made
/// again, the bucket with slugs and backups and the control plane's disk, unless --delete-data says otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:down --name prod --region us-east-1
  …
  This saves $27.38 a month.
  Remove these 29 parts for good? [y/n] y
    removed load balancer's port 80 …
  …
  Nothing of prod is left.")]
pub(crate) struct Down {
    #[command(flatten)]
    place: WhereOptions,

    /// Remove the bucket and the control plane's disk too, with all that is in them
    #[arg(long, alias = "delete-bucket")]
    delete_data: bool,

    #[command(flatten)]
    prices: PricesOption,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Down {
    /// Shows, asks, removes.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (prices, screen) = (self.prices.read()?, &context.screen);
        let (steps, saved) = wait_for(async {
            let clients = self.place.clients().await?;
            let wish = self.place.any();
            let found = look_before_leaving(&clients, &wish, Patience::default()).await;
            let found = found.map_err(|failure| failed(&failure))?;
            let steps = removal(&found, self.delete_data);
            let leftovers = found.leaving(self.delete_data);
            if steps.is_empty() && leftovers.is_empty() {
                return Ok((steps, None));
            }
            screen.say(&shown::steps(screen, &steps));
            if let Some(line) = shown::leftovers(leftovers.iter()) {
                screen.say(&line);
            }
            let saved =
                prices.region(&clients.region).map(|prices| bill_found(&wish, &found, prices).per_month());
            if let Some(saved) = saved {
                screen.say(&shown::saved(saved, &leftovers));
            }
            let question = format!("Remove these {} for good?", wording::count(steps.len(), "part"));
            consent(self.yes, &question, "nothing was removed", "remove them")?;
            let tell = |progress: aws::setup::Progress<'_>| {
                if let Some(line) = shown::progress(progress) {
                    screen.say(&line);
                }
            };
            let gone = down(&clients, &wish, self.delete_data, Patience::default(), tell).await;
            gone.map_err(|error| stopped(&error))?;
            Ok((steps, saved))
        })?;
        let kept = if self.delete_data {
            ""
        } else {
            " but its bucket and its control plane's disk, if it had them"
        };
        screen.say(&format!("Nothing of {} is left{kept}.", self.place.name));
        if self.json.json {
            screen.json(&json!({ "removed": steps, "saved_per_month": saved }))
        } else {
            Ok(())
        }
    }
}
