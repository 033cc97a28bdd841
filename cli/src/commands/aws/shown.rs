//! Steps and bills, as text and as JSON.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use aws::setup::{Action, Found, Leftover, Progress, Setting, Step, Wish, bill_found, host_bill};
use model::cost::{Bill, Money, Prices};
use model::wording;
use serde_json::{Value, json};

use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Returns steps as a table.
pub(super) fn steps(screen: &Screen, steps: &[Step]) -> String {
    let mut table = Table::new(["STEP", "WHAT", "WHY"]);
    for step in steps {
        table.row([verb(&step.action), what(step).into(), step.reason.as_str().into()]);
    }
    table.render(screen)
}

fn verb(action: &Action) -> Cell {
    match action {
        Action::Create => Cell::toned(Tone::Good, "create"),
        Action::Set(_) => "set".into(),
        Action::Discard { .. } | Action::Remove { .. } => Cell::toned(Tone::Bad, "remove"),
    }
}

fn what(step: &Step) -> String {
    match &step.action {
        Action::Create => step.part.words(),
        Action::Set(setting) => format!("{}: {}", step.part.words(), setting_words(*setting)),
        Action::Discard { id } | Action::Remove { id } => format!("{} {id}", step.part.words()),
    }
}

fn setting_words(setting: Setting) -> &'static str {
    match setting {
        Setting::Tags => "tags",
        Setting::HostNames => "host names",
        Setting::Attached => "attachment",
        Setting::Addresses => "public addresses",
        Setting::Routed => "routes",
        Setting::WayOut => "way out",
        Setting::ListedInRoutes => "routes",
        Setting::Rules => "rules",
        Setting::Policy => "policy",
        Setting::Role => "role",
        Setting::Content => "content",
        Setting::DnsZone => "hosted zone of its names",
        Setting::Private => "no public access",
        Setting::Encrypted => "encryption",
        Setting::Versioned => "versions",
        Setting::TlsOnly => "TLS only",
        Setting::Tidied => "no end of old versions",
        Setting::Subnets => "subnets",
        Setting::StrictHeaders => "strict headers",
        Setting::Answer => "answer",
    }
}

/// Returns a line for what happens.
pub(super) fn progress(progress: Progress<'_>) -> Option<String> {
    match progress {
        Progress::Begins(_) => None,
        Progress::Done(step) => {
            let did = match step.action {
                Action::Create => "created",
                Action::Set(_) => "set",
                Action::Discard { .. } | Action::Remove { .. } => "removed",
            };
            Some(format!("  {did} {}", what(step)))
        }
        Progress::Unclear(step, failure) => {
            Some(format!("  {}: {failure}; looking what there is", step.part.words()))
        }
    }
}

/// Returns a line for what goes before the set-up does.
pub(super) fn leftovers<'a>(all: impl Iterator<Item = &'a Leftover>) -> Option<String> {
    let (mut hosts, mut groups, mut images, mut controls) = (0, 0, 0, 0);
    let mut zone = None;
    for leftover in all {
        match leftover {
            Leftover::Host(_) => hosts += 1,
            Leftover::Control(_) => controls += 1,
            Leftover::TargetGroup(_) => groups += 1,
            Leftover::Image(_) => images += 1,
            Leftover::Names(id) => zone = Some(id),
            // Go with their image and machine.
            Leftover::Snapshot(_) | Leftover::Disk(_) => {}
        }
    }
    (hosts + groups + images + controls > 0 || zone.is_some()).then(|| {
        let count = wording::count;
        let (hosts, images) = (count(hosts, "host"), count(images, "image"));
        let groups = count(groups, "target group");
        let control = if controls > 0 { "the control plane, " } else { "" };
        let names = zone.map(|zone| format!(", and its names in the hosted zone {zone}")).unwrap_or_default();
        format!(
            "Before that, {control}{hosts}, {images} and {groups} that the platform made are removed{names}."
        )
    })
}

/// Returns a bill as a table.
pub(super) fn bill(bill: &Bill) -> Table {
    let mut table = Table::new(["A MONTH", "FOR"]);
    for line in &bill.lines {
        let what =
            if line.count == 1 { line.what.clone() } else { format!("{} × {}", line.count, line.what) };
        table.row([line.per_month().to_string().into(), what.into()]);
    }
    table.row([bill.per_month().to_string().into(), "in all, before traffic and what is stored".into()]);
    table
}

/// Returns what is not paid any more once a set-up is gone, with what goes before it.
pub(super) fn saved(per_month: Money, leaving: &BTreeSet<Leftover>) -> String {
    let machine = |leftover: &Leftover| matches!(leftover, Leftover::Host(_) | Leftover::Control(_));
    let machines = if leaving.iter().any(machine) { ", and what the machines cost" } else { "" };
    format!("This saves {per_month} a month{machines}.")
}

/// What a set-up costs.
pub(super) struct Costs {
    region: String,
    source: String,
    /// Without hosts; none if the region's prices are not known.
    bill: Option<Bill>,
    /// What is there now costs this, without hosts.
    now: Option<Money>,
    /// Of each host.
    host: Option<Bill>,
}

impl Costs {
    /// Returns what a wish comes to, where this was found.
    pub(super) fn of(wish: &Wish, found: &Found, region: &str, prices: &Prices) -> Self {
        let known = prices.region(region);
        Self {
            region: region.to_owned(),
            source: prices.source.clone(),
            bill: known.map(|prices| aws::setup::bill(wish, prices)),
            now: known.map(|prices| bill_found(wish, found, prices).per_month()),
            host: known.and_then(|prices| host_bill(wish, prices)),
        }
    }

    /// Returns what it adds a month to what is paid already, as far as prices are known.
    pub(super) fn added(&self) -> Money {
        let (Some(bill), Some(now)) = (&self.bill, self.now) else { return Money::ZERO };
        if bill.per_month() > now { bill.per_month() - now } else { Money::ZERO }
    }

    /// Returns the bill as a table, and what it leaves out.
    pub(super) fn text(&self, screen: &Screen) -> String {
        let Some(bill) = &self.bill else {
            return format!(
                "What it costs is not known: there are no prices of {}; --prices FILE takes a table.",
                self.region
            );
        };
        let mut table = self::bill(bill);
        let host = match &self.host {
            Some(host) => {
                table.row([
                    host.per_month().to_string().into(),
                    "more for each host that runs all month".into(),
                ]);
                ""
            }
            None => "\nThe price of a host is not in the table.",
        };
        let change = self.change(bill).map(|change| format!("\n{change}")).unwrap_or_default();
        format!("{}{host}{change}\n({})", table.render(screen), self.source)
    }

    /// Returns what changes of what is paid already.
    fn change(&self, bill: &Bill) -> Option<String> {
        let (now, then) = (self.now.filter(|now| *now > Money::ZERO)?, bill.per_month());
        let differs = match now.cmp(&then) {
            Ordering::Equal => "which stays as it is".to_owned(),
            Ordering::Less => format!("so that this adds {}", then - now),
            Ordering::Greater => format!("so that this saves {}", now - then),
        };
        Some(format!("What is there costs {now} a month without hosts, {differs}."))
    }

    /// Returns the same for programs.
    pub(super) fn json(&self) -> Value {
        let of = |bill: &Bill| json!({ "lines": bill.lines, "per_month": bill.per_month() });
        json!({
            "currency": "USD",
            "setup": self.bill.as_ref().map(of),
            "each_host": self.host.as_ref().map(of),
            "setup_now": self.now.map(|now| json!({ "per_month": now })),
            "source": self.source,
        })
    }
}
