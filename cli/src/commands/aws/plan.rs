//! `aws:plan`: what `aws:up` would do, and what it would cost.

use aws::setup::{Patience, look, plan};
use model::wording;
use serde_json::json;

use super::cap::Cap;
use super::options::SetupOptions;
use super::shown::{self, Costs};
use super::{check_surplus, failed, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Show what `aws:up` would do, and what it costs a month
///
/// Nothing is changed. It uses your own AWS credentials, from this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:plan --name prod --region us-east-1
  STEP    WHAT           WHY
  create  network (VPC)  there is none with the platform's tag
  …
  61 steps; `paasctl aws:up` with the same options takes them.")]
pub(crate) struct Plan {
    #[command(flatten)]
    setup: SetupOptions,

    #[command(flatten)]
    json: JsonOption,
}

impl Plan {
    /// Shows it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let prices = self.setup.prices()?;
        let cap = Cap::of(&self.setup.place.name, context);
        let (steps, costs, account, region) = wait_for(async {
            let clients = self.setup.place.clients().await?;
            let wish = self.setup.wish(&clients).await?;
            let found =
                look(&clients, &wish, Patience::default()).await.map_err(|failure| failed(&failure))?;
            check_surplus(&wish, &found)?;
            Ok((
                plan(&wish, &found),
                Costs::of(&wish.as_found(&found), &found, &clients.region, &prices),
                found.account,
                clients.region.clone(),
            ))
        })?;
        let screen = &context.screen;
        let beyond =
            cap.and_then(|cap| cap.exceeded_by(costs.added(), &region)).map(|beyond| beyond.to_string());
        if self.json.json {
            let costs = costs.json();
            return screen
                .json(&json!({ "account": account, "steps": steps, "costs": costs, "beyond_cap": beyond }));
        }
        if steps.is_empty() {
            screen.say("All is as wanted; there is nothing to do.");
        } else {
            screen.print(&shown::steps(screen, &steps))?;
            let count = wording::count(steps.len(), "step");
            screen.say(&match beyond {
                Some(beyond) => format!("{count}; `paasctl aws:up` refuses them: {beyond}."),
                None => format!("{count}; `paasctl aws:up` with the same options takes them."),
            });
        }
        screen.print(&format!("\n{}", costs.text(screen)))
    }
}
