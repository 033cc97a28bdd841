//! What an owner sets for an app beside its code, config vars and formation.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::health::HealthCheck;
use crate::name::{BranchName, ProcessType};

/// The settings of an app. Absent ones have their defaults, so that a new setting needs no migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSettings {
    /// The branch whose push deploys; `main` or `master` when not set.
    pub deploy_branch: Option<BranchName>,
    /// How replicas are checked.
    pub health: HealthCheck,
    /// The time in which a rollout must be done, in seconds.
    pub rollout_seconds: u32,
    /// The time in which a release command must be done, in seconds.
    pub release_command_seconds: u32,
    /// How long a release is watched after its rollout, to be reverted if it fails, in seconds; 0 turns that off.
    pub watch_seconds: u32,
    /// How long a leaving web replica may finish its requests, in seconds.
    pub drain_seconds: u32,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub stop_seconds: u32,
    /// What is different for single process types.
    pub processes: BTreeMap<ProcessType, ProcessSettings>,
    /// The time in which a build must be done, in seconds; the platform's limit when not set.
    pub build_seconds: Option<u32>,
    /// Visitors get a maintenance page.
    pub maintenance: bool,
    /// Visitors come back to the web replica that answered before, by a cookie.
    pub sticky_sessions: bool,
    /// How many requests may be in flight at a time, over all web replicas; no limit when not set.
    pub connection_limit: Option<u32>,
    /// Buildpacks to use instead of detection, in order.
    pub buildpacks: Vec<String>,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            deploy_branch: None,
            health: HealthCheck::default(),
            rollout_seconds: 300,
            release_command_seconds: 600,
            watch_seconds: 60,
            drain_seconds: 30,
            stop_seconds: 30,
            processes: BTreeMap::new(),
            build_seconds: None,
            maintenance: false,
            sticky_sessions: false,
            connection_limit: None,
            buildpacks: Vec::new(),
        }
    }
}

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// A setting that is a number: where it is in the settings as JSON, what it may be, and what it counts.
pub type Bounds = (&'static str, RangeInclusive<u32>, &'static str);

/// The bounds of all settings that are numbers. Those of a process type are the app's.
pub const BOUNDS: &[Bounds] = &[
    ("/rollout_seconds", 1..=HOUR, "seconds"),
    ("/release_command_seconds", 1..=DAY, "seconds"),
    ("/watch_seconds", 0..=HOUR, "seconds"),
    ("/drain_seconds", 0..=HOUR, "seconds"),
    ("/stop_seconds", 0..=HOUR, "seconds"),
    ("/build_seconds", 1..=DAY, "seconds"),
    ("/connection_limit", 1..=1_000_000, "requests"),
    ("/health/boot_seconds", 1..=HOUR, "seconds"),
    ("/health/timeout_seconds", 1..=HOUR, "seconds"),
    ("/health/settle_ms", 0..=60_000, "milliseconds"),
];

/// Returns the bounds of the setting that is there in the settings as JSON, such as `/processes/worker/stop_seconds`,
/// if it is a number.
#[must_use]
pub fn bounds(pointer: &str) -> Option<&'static Bounds> {
    let own = pointer.strip_prefix("/processes/").and_then(|own| own.find('/').map(|at| &own[at..]));
    BOUNDS.iter().find(|(known, ..)| *known == own.unwrap_or(pointer))
}

/// What is set for one process type; what is not is as for the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSettings {
    /// How long a leaving web replica may finish its requests, in seconds.
    pub drain_seconds: Option<u32>,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub stop_seconds: Option<u32>,
    /// Whether new replicas start while old ones still run; they do when not set. Without it a change is not gapless.
    pub overlap: Option<bool>,
}

impl AppSettings {
    /// Returns how long a leaving replica of this type may finish its requests, in seconds.
    #[must_use]
    pub fn drain_seconds_of(&self, process: &ProcessType) -> u32 {
        self.processes.get(process).and_then(|own| own.drain_seconds).unwrap_or(self.drain_seconds)
    }

    /// Returns the time between SIGTERM and SIGKILL for this type, in seconds.
    #[must_use]
    pub fn stop_seconds_of(&self, process: &ProcessType) -> u32 {
        self.processes.get(process).and_then(|own| own.stop_seconds).unwrap_or(self.stop_seconds)
    }

    /// Returns the types whose old replicas stop before new ones start.
    pub fn alone(&self) -> impl Iterator<Item = &ProcessType> {
        self.processes.iter().filter(|(_, own)| own.overlap == Some(false)).map(|(process, _)| process)
    }

    /// Tells whether a push to the branch deploys.
    #[must_use]
    pub fn deploys(&self, branch: &str) -> bool {
        match &self.deploy_branch {
            Some(name) => name.as_str() == branch,
            None => matches!(branch, "main" | "master"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_is_a_number_has_bounds_and_its_default_is_within() {
        let numbers =
            AppSettings { build_seconds: Some(900), connection_limit: Some(1), ..Default::default() };
        let all = serde_json::to_value(numbers).unwrap();
        let health = all["health"].as_object().unwrap().keys().map(|name| format!("/health/{name}"));
        let names = all.as_object().unwrap().keys().map(|name| format!("/{name}")).chain(health);
        let mut found = 0;
        for (number, pointer) in names.filter_map(|name| Some((all.pointer(&name)?.as_u64()?, name))) {
            let (_, range, _) = bounds(&pointer).expect(&pointer);
            assert!(range.contains(&u32::try_from(number).unwrap()), "{pointer}");
            found += 1;
        }
        assert_eq!(found, BOUNDS.len());
        assert_eq!(bounds("/processes/worker/stop_seconds"), bounds("/stop_seconds"));
        assert_eq!(bounds("/maintenance"), None);
    }
}
