//! What the region has of the platform, counted in the region itself and not by asking the platform.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::platform::{PATIENCE, Platform};

/// An instance that a host is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Which launch of the platform it is.
    pub(crate) launch: String,
    pub(crate) zone: String,
    pub(crate) image: String,
    pub(crate) lifecycle: String,
    pub(crate) state: String,
}

/// All that the platform makes at the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Those that are not terminated, by id.
    pub(crate) machines: BTreeMap<String, Machine>,
    /// The states of the targets of each app's group, by instance and port.
    pub(crate) groups: BTreeMap<String, BTreeMap<String, String>>,
    /// What rules there are beside those for what no other is for.
    pub(crate) rules: BTreeSet<String>,
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}

fn entries(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flatten()
}

/// Returns the target groups of apps, by ARN: the control plane has one of its own.
fn app_groups(state: &Value) -> impl Iterator<Item = (&String, &Value)> {
    entries(&state["groups"]).filter(|(arn, _)| !arn.contains(":targetgroup/paas-prod-control/"))
}

fn items(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

impl Inventory {
    fn of(state: &Value) -> Self {
        let launched = entries(&state["instances"]).filter(|(_, one)| one["tags"]["paas:launch"].is_string());
        let machine = |(id, one): (&String, &Value)| {
            let [zone, image, lifecycle, state] =
                ["zone", "image", "lifecycle", "state"].map(|field| text(&one[field]));
            (id.clone(), Machine { launch: text(&one["tags"]["paas:launch"]), zone, image, lifecycle, state })
        };
        let targets = |group: &Value| {
            let targets = entries(&group["targets"]);
            targets.map(|(place, target)| (place.clone(), text(&target["state"]))).collect()
        };
        let listeners = entries(&state["balancers"]).flat_map(|(_, balancer)| items(&balancer["listeners"]));
        let rules = listeners.flat_map(|listener| items(&listener["rules"]));
        Self {
            machines: launched.map(machine).filter(|(_, one)| one.state != "terminated").collect(),
            groups: app_groups(state).map(|(arn, group)| (arn.clone(), targets(group))).collect(),
            rules: rules
                .filter(|rule| rule["priority"] != "default")
                .map(|rule| text(&rule["arn"]))
                .collect(),
        }
    }

    /// Returns how many machines each zone has.
    pub(crate) fn zones(&self) -> BTreeMap<&str, usize> {
        self.spread(&self.machines.keys().cloned().collect::<Vec<_>>())
    }

    /// Returns the instances of a zone.
    pub(crate) fn of_zone(&self, zone: &str) -> BTreeSet<String> {
        let here = self.machines.iter().filter(|(_, machine)| machine.zone == zone);
        here.map(|(id, _)| id.clone()).collect()
    }

    /// Returns how many of these instances each zone has.
    pub(crate) fn spread(&self, instances: &[String]) -> BTreeMap<&str, usize> {
        let mut zones = BTreeMap::new();
        for machine in instances.iter().filter_map(|id| self.machines.get(id)) {
            *zones.entry(machine.zone.as_str()).or_default() += 1;
        }
        zones
    }

    /// Returns the instances that have targets in a state, one entry for each target.
    pub(crate) fn targets(&self, is: impl Fn(&str) -> bool) -> Vec<String> {
        let all = self.groups.values().flatten().filter(|(_, state)| is(state));
        all.map(|(place, _)| place.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    /// Returns the instances whose targets get requests or would, were they well just now.
    pub(crate) fn routed(&self) -> Vec<String> {
        self.targets(|state| matches!(state, "healthy" | "unhealthy"))
    }
}

impl Platform {
    pub(crate) fn inventory(&self) -> Inventory {
        Inventory::of(&self.cloud.ask("state"))
    }

    /// Waits until nothing comes or goes any more: there are so many hosts in each zone and so many replicas, all of them well,
    /// and the cloud has exactly what that takes.
    #[track_caller]
    pub(crate) fn at_rest(&self, hosts: &[(&str, usize)], replicas: usize) -> Inventory {
        let hosts: BTreeMap<&str, usize> = hosts.iter().copied().collect();
        let count: usize = hosts.values().sum();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (inventory, mut placed) = (self.inventory(), self.replicas());
            let mut targets = inventory.targets(|state| state == "healthy");
            targets.sort();
            placed.sort();
            let all = inventory.groups.values().map(BTreeMap::len).sum::<usize>();
            let known = self.all_hosts();
            let rests = inventory.zones() == hosts
                && inventory.machines.values().all(|machine| machine.state == "running")
                // One more is the control plane's own.
                && known.iter().filter(|(_, state)| state == "ready").count() == count + 1
                && known.len() == count + 1
                && (placed.len(), all) == (replicas, replicas)
                && targets == placed;
            if rests {
                return inventory;
            }
            assert!(
                Instant::now() < deadline,
                "no rest: {inventory:#?}, hosts {known:?}, replicas on {placed:?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
