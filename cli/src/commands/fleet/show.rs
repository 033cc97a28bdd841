//! `hosts:fleet`: all that was decided about the fleet.

use jiff::SignedDuration;
use model::cost::Money;
use model::wording;

use super::NO_FLEET;
use crate::api::fleet::{Fleet, FleetSchedule, FleetSettings, FleetType, FleetZone};
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Show how large the fleet may be (administrators only)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:fleet
  ZONE        HOSTS  MIN  MAX
  us-east-1a  2      1    3
  us-east-1b  1      1    3

  Types     m7g.large ($66.42 a month each), m6g.large
  Spot      off
  Headroom  10 % of what replicas claim
  Patience  a host that is not needed stays for 10 min
  Replaced  6 hosts an hour at most
  Schedule  weekdays 8:00-20:00 Europe/Berlin: at least 2 in each zone
  Cost      $160.21 a month at least, $425.88 at most; the cap is $300.00")]
pub(crate) struct Show {
    #[command(flatten)]
    json: JsonOption,
}

impl Show {
    /// Shows it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        show(context, self.json)
    }
}

/// Shows what holds now, which is also what a change without a wish does.
pub(super) fn show(context: &Context, json: JsonOption) -> Result<()> {
    let body = context.api()?.get("/fleet")?;
    if json.json {
        return context.screen.json(&body);
    }
    let fleet: Fleet = read(&body)?;
    match &fleet.settings {
        _ if fleet.source == "none" => context.screen.say(NO_FLEET),
        None => context.screen.say(&format!(
            "Nothing was decided about the fleet {} yet. The server does so when it first reaches the cloud; its log \
             and `paasctl aws:events` say what keeps it from that.",
            fleet.name.as_deref().unwrap_or_default()
        )),
        Some(settings) => context.screen.print(&text(&context.screen, settings))?,
    }
    Ok(())
}

fn text(screen: &Screen, settings: &FleetSettings) -> String {
    let mut zones = Table::new(["ZONE", "HOSTS", "MIN", "MAX"]);
    for zone in &settings.zones {
        zones.row([
            Cell::toned(Tone::Name, &zone.name),
            zone.hosts.to_string().into(),
            least(zone).into(),
            zone.max.to_string().into(),
        ]);
    }
    let mut rest = Table::details();
    let types: Vec<String> = settings.types.iter().map(kind).collect();
    rest.row(["Types".into(), types.join(", ").into()]);
    let spot = if settings.spot { "on: tried before others" } else { "off" };
    rest.row(["Spot".into(), spot.into()]);
    rest.row(["Headroom".into(), format!("{} % of what replicas claim", settings.headroom_percent).into()]);
    rest.row(["Patience".into(), patience(settings).into()]);
    if let Some(boot) = boot(settings) {
        rest.row(["Boot".into(), boot.into()]);
    }
    if let Some(hosts) = settings.replaced_per_hour {
        let hosts = wording::count(hosts as usize, "host");
        rest.row(["Replaced".into(), format!("{hosts} an hour at most").into()]);
    }
    for schedule in &settings.schedules {
        rest.row(["Schedule".into(), said(schedule).into()]);
    }
    rest.row(["Cost".into(), cost(settings).into()]);
    format!("{}\n\n{}", zones.render(screen), rest.render(screen))
}

/// Returns the fewest hosts of a zone, and how many that is now if a schedule says otherwise.
fn least(zone: &FleetZone) -> String {
    match zone.min_now {
        now if now == zone.min => now.to_string(),
        now => format!("{} ({now} now)", zone.min),
    }
}

fn kind(known: &FleetType) -> String {
    match known.per_month {
        Some(price) => format!("{} ({price} a month each)", known.name),
        None => format!("{} (of unknown price)", known.name),
    }
}

/// Returns how long hosts that are not needed stay.
pub(super) fn patience(settings: &FleetSettings) -> String {
    match settings.patience_seconds {
        0 => "a host that is not needed goes at once".to_owned(),
        seconds => {
            let length = wording::duration(SignedDuration::from_secs(seconds.into()));
            format!("a host that is not needed stays for {length}")
        }
    }
}

/// Returns how long an instance may take to become a host, if the server says so.
pub(super) fn boot(settings: &FleetSettings) -> Option<String> {
    let length = wording::duration(SignedDuration::from_secs(settings.boot_seconds?.into()));
    Some(format!("an instance has {length} to become a host"))
}

/// Returns a schedule as a line.
pub(super) fn said(schedule: &FleetSchedule) -> String {
    let FleetSchedule { when, time_zone, min, on } = schedule;
    let now = if *on { "; that is now" } else { "" };
    format!("{when} {time_zone}: at least {min} in each zone{now}")
}

fn cost(settings: &FleetSettings) -> String {
    let shown = |money: Option<Money>| money.map_or_else(|| "?".to_owned(), |money| money.to_string());
    let cap = match settings.cap_per_month {
        Some(cap) => format!("the cap is {cap}"),
        None => "there is no cap".to_owned(),
    };
    let (least, most) = (shown(settings.at_least_per_month), shown(settings.at_most_per_month));
    format!("{least} a month at least, {most} at most; {cap}")
}
