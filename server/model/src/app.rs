//! What an owner sets for an app beside its code, config vars and formation.

use serde::{Deserialize, Serialize};

use crate::health::HealthCheck;
use crate::name::BranchName;

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
    /// How long a leaving web replica may finish its requests, in seconds.
    pub drain_seconds: u32,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub stop_seconds: u32,
    /// The time in which a build must be done, in seconds; the platform's limit when not set.
    pub build_seconds: Option<u32>,
    /// Visitors get a maintenance page.
    pub maintenance: bool,
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
            drain_seconds: 30,
            stop_seconds: 30,
            build_seconds: None,
            maintenance: false,
            buildpacks: Vec::new(),
        }
    }
}

impl AppSettings {
    /// Tells whether a push to the branch deploys.
    #[must_use]
    pub fn deploys(&self, branch: &str) -> bool {
        match &self.deploy_branch {
            Some(name) => name.as_str() == branch,
            None => matches!(branch, "main" | "master"),
        }
    }
}
