//! Whether there is exactly what is wanted, at AWS and at the platform: instances, hosts, replicas, groups, rules and targets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::Inventory;
use crate::platform::Platform;

/// What is wanted of the platform.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The zone of each instance, in order.
    pub(crate) zones: Vec<&'static str>,
    /// The release that serves.
    pub(crate) version: u64,
    /// How many replicas it has.
    pub(crate) web: usize,
}

/// Groups and rules, as AWS shows them; an app that stays has the same ones for ever.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entrances {
    groups: BTreeMap<String, Value>,
    balancers: Value,
}

impl Entrances {
    pub(crate) fn of(platform: &Platform) -> Self {
        let state = platform.cloud.ask("state");
        let groups = state["groups"].as_object().unwrap().iter();
        let groups = groups.map(|(arn, group)| (arn.clone(), group["balancers"].clone())).collect();
        Self { groups, balancers: state["balancers"].clone() }
    }
}

impl Wanted {
    /// Tells what is not as it is wanted.
    ///
    /// # Errors
    /// The first thing that is not.
    pub(crate) fn compare(&self, platform: &Platform, entrances: &Entrances) -> Result<(), String> {
        let inventory = platform.inventory();
        let instances = self.instances(&inventory)?;
        same("hosts", &hosts(platform), &instances)?;
        let replicas = self.replicas(platform)?;
        same("targets", &targets(&inventory)?, &replicas)?;
        match Entrances::of(platform) == *entrances {
            true => Ok(()),
            false => Err("other groups or rules".to_owned()),
        }
    }

    /// Returns the instances of the platform, of which each has a launch of its own. One that is shutting down is as good as gone.
    fn instances(&self, inventory: &Inventory) -> Result<Vec<String>, String> {
        let there: Vec<_> =
            inventory.machines.iter().filter(|(_, machine)| machine.state != "shutting-down").collect();
        let mut zones: Vec<&str> = there.iter().map(|(_, machine)| machine.zone.as_str()).collect();
        zones.sort_unstable();
        same("zones of instances", &zones, &self.zones)?;
        let launches: BTreeSet<&str> = there.iter().map(|(_, machine)| machine.launch.as_str()).collect();
        same("launches", &launches.len(), &there.len())?;
        Ok(there.into_iter().map(|(id, _)| id.clone()).collect())
    }

    /// Returns on which instances the replicas are.
    fn replicas(&self, platform: &Platform) -> Result<Vec<String>, String> {
        let shown = platform.shown(&["ps", "-a", "shop"]);
        let all = shown.as_array().ok_or("nobody answers")?;
        let wanted = |one: &&Value| one["phase"] == "healthy" && one["release"]["version"] == self.version;
        let hosts: Vec<String> = all.iter().filter(wanted).map(|one| text(&one["host"]).to_owned()).collect();
        if (hosts.len(), all.len()) != (self.web, self.web) {
            return Err(format!(
                "{} of {} replicas are healthy and of v{}",
                hosts.len(),
                all.len(),
                self.version
            ));
        }
        Ok(sorted(hosts))
    }
}

/// Returns the hosts that joined from instances, those that left and launches without an instance included, with what they do.
fn hosts(platform: &Platform) -> Vec<String> {
    let shown = platform.shown(&["hosts"]);
    let all = shown.as_array().into_iter().flatten().filter(|host| host["embedded"] != true);
    let says = |host: &Value| match (text(&host["state"]), text(&host["instance"]["doing"])) {
        ("ready", "joined") => text(&host["name"]).to_owned(),
        (state, doing) => format!("{} is {state}, {doing}", text(&host["name"])),
    };
    sorted(all.map(says).collect())
}

/// Returns the instances that are targets of an app, each as often as it is one. None may be on its way in or out.
fn targets(inventory: &Inventory) -> Result<Vec<String>, String> {
    let all: usize = inventory.groups.values().map(BTreeMap::len).sum();
    let healthy = inventory.targets(|state| state == "healthy");
    same("healthy targets", &healthy.len(), &all)?;
    Ok(sorted(healthy))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, there: &T, wanted: &T) -> Result<(), String> {
    if there == wanted { Ok(()) } else { Err(format!("{what}: {there:?} where {wanted:?} are wanted")) }
}
