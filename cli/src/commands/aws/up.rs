//! `aws:up`: makes the set-up, or what is missing of it.

use aws::setup::{Patience, Site, look, plan, up};
use model::wording;
use serde_json::json;

use super::cap::Cap;
use super::consent::consent;
use super::options::SetupOptions;
use super::shown::{self, Costs};
use super::{check_surplus, failed, stopped, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::table::Table;

/// Make the set-up on AWS, or what is missing of it
///
/// It shows first what it will do and what that costs, and asks. It may be interrupted anywhere and run again with the same
/// options. When you are logged in to the platform, what would cost more than its cap is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:up --name prod --region us-east-1
  …
  Take these 61 steps? [y/n] y
    created bucket for slugs and backups
  …
  The set-up prod is complete.")]
pub(crate) struct Up {
    #[command(flatten)]
    setup: SetupOptions,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Up {
    /// Shows, asks, makes.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let prices = self.setup.prices()?;
        let cap = Cap::of(&self.setup.place.name, context);
        let screen = &context.screen;
        let site = wait_for(async {
            let clients = self.setup.place.clients().await?;
            let wish = self.setup.wish(&clients).await?;
            let found =
                look(&clients, &wish, Patience::default()).await.map_err(|failure| failed(&failure))?;
            check_surplus(&wish, &found)?;
            let steps = plan(&wish, &found);
            if !steps.is_empty() {
                let costs = Costs::of(&wish.as_found(&found), &found, &clients.region, &prices);
                screen.say(&format!("{}\n\n{}\n", shown::steps(screen, &steps), costs.text(screen)));
                if let Some(beyond) = cap.and_then(|cap| cap.exceeded_by(costs.added(), &clients.region)) {
                    return Err(Error::failed(beyond.to_string()).hint(beyond.hint()));
                }
                let question = format!("Take these {}?", wording::count(steps.len(), "step"));
                consent(self.yes, &question, "nothing was changed", "take the steps")?;
            }
            let tell = |progress: aws::setup::Progress<'_>| {
                if let Some(line) = shown::progress(progress) {
                    screen.say(&line);
                }
            };
            up(&clients, &wish, Patience::default(), tell).await.map_err(|error| stopped(&error))
        })?;
        screen.say(&format!("The set-up {} is complete.", site.cluster));
        if self.json.json { screen.json(&json!(site)) } else { screen.print(&summary(&site).render(screen)) }
    }
}

fn summary(site: &Site) -> Table {
    let mut table = Table::details();
    let mut row = |what: &str, value: &str| table.row([what.into(), value.into()]);
    row("account", &site.account);
    row("region", &site.region);
    row("network", &site.vpc);
    for subnet in &site.host_subnets {
        row("subnet of hosts", &format!("{} in {}", subnet.id, subnet.zone));
    }
    row("security group of hosts", &site.host_group);
    row("launch template", &site.launch_template);
    row("security group of the control plane", &site.control_group);
    row("instance profile of the control plane", &site.control_profile);
    row("bucket", &format!("s3://{}", site.bucket));
    row("load balancer", &site.address);
    match &site.dns_zone {
        Some(zone) => row("names in DNS", &format!("are kept in the hosted zone {zone}")),
        None => row("DNS record to set", &format!("*.DOMAIN CNAME {}, with paasd's --domain", site.address)),
    }
    for address in &site.more_addresses {
        row("further load balancer", address);
    }
    table
}
