//! `cost`: the bill of the platform with the shares of its apps, or what one app is made of.

use model::cost::Money;
use model::name::AppName;
use model::wording;

use super::OWN_MACHINES;
use crate::api::fleet::Cost;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Show what the platform, or an app, costs a month
///
/// An app's share is that of hosts of the preferred type which its replicas claim, by memory or processor, whichever is
/// more. Prices are list prices, before traffic; `paasd serve --prices FILE` takes others. The platform's is for
/// administrators.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl cost
  A MONTH  FOR
  $16.43   load balancer
  $10.95   3 × public address of the load balancer
  $59.57   host m7g.large
  $3.20    40 × gigabyte of disk
  $3.65    public address of a host
  $93.79   in all, before traffic and what is stored

  APP   A MONTH  CAP
  shop  $17.86   $50.00

  Decided: $93.79 a month, at most $625.14; the cap is $300.00.")]
pub(crate) struct Show {
    /// Of this app only
    app: Option<AppName>,

    #[command(flatten)]
    json: JsonOption,
}

impl Show {
    /// Shows it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let path = self.app.as_ref().map_or_else(|| "/cost".to_owned(), |app| format!("/apps/{app}/cost"));
        let body = context.api()?.get(&path)?;
        let screen = &context.screen;
        if self.json.json {
            return screen.json(&body);
        }
        let cost: Cost = read(&body)?;
        if !cost.fleet {
            screen.say(OWN_MACHINES);
            return Ok(());
        }
        if let Some(why) = &cost.unknown {
            let why = wording::plain(why, 200);
            screen.say(&format!(
                "What it costs is not known: {why}. `paasd serve --prices FILE` takes a table."
            ));
        }
        match &self.app {
            Some(app) => self::app(screen, app, &cost),
            None => platform(screen, &cost),
        }
    }
}

fn platform(screen: &Screen, cost: &Cost) -> Result<()> {
    if let (Some(lines), Some(sum)) = (&cost.lines, cost.per_month) {
        let mut table = Table::new(["A MONTH", "FOR"]);
        for line in lines {
            let times = if line.count == 1 { String::new() } else { format!("{} × ", line.count) };
            table.row([line.per_month.to_string().into(), format!("{times}{}", line.what).into()]);
        }
        table.row([sum.to_string().into(), "in all, before traffic and what is stored".into()]);
        screen.print(&table.render(screen))?;
    }
    if cost.apps.is_empty() {
        screen.say("There are no apps yet; `paasctl create` makes one.");
    } else {
        let mut table = Table::new(["APP", "A MONTH", "CAP"]);
        for app in &cost.apps {
            table.row([
                Cell::toned(Tone::Name, &app.name),
                shown(app.per_month).into(),
                shown(app.cap_per_month).into(),
            ]);
        }
        screen.print(&format!("\n{}", table.render(screen)))?;
    }
    let (decided, most) = (cost.committed_per_month, cost.at_most_per_month);
    if let Some((decided, most)) = decided.zip(most) {
        let cap = cost.cap_per_month.map(|cap| format!("the cap is {cap}"));
        let cap = cap.unwrap_or_else(|| "`paasctl cost:cap` sets a cap".to_owned());
        screen.print(&format!("\nDecided: {decided} a month, at most {most}; {cap}."))?;
        let prices = &cost.prices;
        screen.say(&format!("Prices: {}, {}.", wording::plain(&prices.source, 200), prices.date));
    }
    Ok(())
}

fn app(screen: &Screen, name: &AppName, cost: &Cost) -> Result<()> {
    if cost.types.is_empty() {
        screen.say(&format!("{name} has no process types yet. `git push paas main` deploys it."));
        return Ok(());
    }
    let mut table = Table::new(["TYPE", "QUANTITY", "SIZE", "A MONTH"]);
    for kind in &cost.types {
        table.row([
            Cell::toned(Tone::Name, &kind.r#type),
            kind.quantity.to_string().into(),
            kind.size.as_str().into(),
            shown(kind.per_month).into(),
        ]);
    }
    screen.print(&table.render(screen))?;
    let (Some(sum), Some(host), Some(price)) = (cost.per_month, &cost.host_type, cost.host_per_month) else {
        return Ok(());
    };
    let cap = cost.cap_per_month.map(|cap| format!("; the cap is {cap}")).unwrap_or_default();
    screen.print(&format!("\n{sum} a month: shares of {host} at {price}{cap}."))
}

fn shown(money: Option<Money>) -> String {
    money.map(|money| money.to_string()).unwrap_or_default()
}
