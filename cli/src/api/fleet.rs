//! The fleet as the server shows it: what was decided about it, and what it costs.

use jiff::Timestamp;
use model::cost::Money;
use serde::Deserialize;

/// Where hosts come from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fleet {
    /// `none`, or the cloud.
    pub(crate) source: String,
    /// The name of the set-up there.
    pub(crate) name: Option<String>,
    /// What was decided, once something was.
    pub(crate) settings: Option<FleetSettings>,
}

/// What was decided about a fleet.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetSettings {
    /// Its zones.
    pub(crate) zones: Vec<FleetZone>,
    /// The types of its hosts, the preferred first.
    pub(crate) types: Vec<FleetType>,
    /// Whether spot instances are tried first.
    pub(crate) spot: bool,
    /// How much is kept free, in hundredths of what replicas claim.
    pub(crate) headroom_percent: u32,
    /// How long fewer must suffice before one goes, in seconds.
    pub(crate) patience_seconds: u32,
    /// How long an instance may take until a host joined from it, in seconds; not said by servers of before.
    pub(crate) boot_seconds: Option<u32>,
    /// How many are replaced within an hour at most; not said by servers of before.
    pub(crate) replaced_per_hour: Option<u32>,
    /// Times at which more are kept.
    pub(crate) schedules: Vec<FleetSchedule>,
    /// What it costs a month with the fewest hosts, and with the most.
    pub(crate) at_least_per_month: Option<Money>,
    pub(crate) at_most_per_month: Option<Money>,
    /// What the platform may cost a month.
    pub(crate) cap_per_month: Option<Money>,
}

/// A zone of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetZone {
    /// Its name.
    pub(crate) name: String,
    /// The fewest hosts, at any time and just now.
    pub(crate) min: u32,
    pub(crate) min_now: u32,
    /// The most.
    pub(crate) max: u32,
    /// How many there are.
    pub(crate) hosts: u32,
}

/// A type of its hosts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetType {
    /// Its name.
    pub(crate) name: String,
    /// What one costs a month with its disk and its address.
    pub(crate) per_month: Option<Money>,
}

/// A time at which more are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetSchedule {
    /// The hours.
    pub(crate) when: String,
    /// The time zone they are meant in.
    pub(crate) time_zone: String,
    /// The fewest hosts of each zone.
    pub(crate) min: u32,
    /// Whether it is that time.
    pub(crate) on: bool,
}

/// Something that was done about the fleet.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetEvent {
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// What it is about.
    pub(crate) about: String,
    /// What happened.
    pub(crate) message: String,
}

/// What the platform, or an app, costs a month.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cost {
    /// Whether hosts are paid for.
    pub(crate) fleet: bool,
    /// Where the prices are from.
    pub(crate) prices: CostPrices,
    /// Why it is not known.
    pub(crate) unknown: Option<String>,
    /// What is paid for now.
    pub(crate) lines: Option<Vec<CostLine>>,
    /// What that comes to; of an app, its share.
    pub(crate) per_month: Option<Money>,
    /// The shares of the apps.
    pub(crate) apps: Vec<CostApp>,
    /// The process types of an app.
    pub(crate) types: Vec<CostType>,
    /// What shares are shares of.
    pub(crate) host_type: Option<String>,
    pub(crate) host_per_month: Option<Money>,
    /// What is decided to be paid, and what it can come to.
    pub(crate) committed_per_month: Option<Money>,
    pub(crate) at_most_per_month: Option<Money>,
    /// What it may cost.
    pub(crate) cap_per_month: Option<Money>,
}

/// Where prices are from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CostPrices {
    /// Who says so.
    pub(crate) source: String,
    /// As of when.
    pub(crate) date: String,
}

/// A line of a bill.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CostLine {
    /// What is paid for.
    pub(crate) what: String,
    /// How many of it.
    pub(crate) count: u64,
    /// What they come to.
    pub(crate) per_month: Money,
}

/// The share of an app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CostApp {
    /// Its name.
    pub(crate) name: String,
    /// Its share.
    pub(crate) per_month: Option<Money>,
    /// What it may cost.
    pub(crate) cap_per_month: Option<Money>,
}

/// The share of a process type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CostType {
    /// Its name.
    pub(crate) r#type: String,
    /// How many replicas.
    pub(crate) quantity: u32,
    /// How large each is.
    pub(crate) size: String,
    /// What they come to.
    pub(crate) per_month: Option<Money>,
}
