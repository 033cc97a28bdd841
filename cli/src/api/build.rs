//! Builds as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::detection::DetectionTrace;
use model::release::{CommitRef, Version};
use serde::Deserialize;

use crate::api::app::Person;
use crate::api::release::Slug;

/// A build.
#[derive(Debug, Deserialize)]
pub(crate) struct Build {
    /// Its id.
    pub(crate) id: String,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelled` or `superseded`.
    #[serde(default)]
    pub(crate) state: String,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    /// What helps.
    pub(crate) hint: Option<String>,
    /// What it builds.
    pub(crate) commit: Option<CommitRef>,
    /// The branch that was pushed.
    pub(crate) branch: Option<String>,
    /// How the buildpack was chosen.
    pub(crate) trace: Option<DetectionTrace>,
    /// What it made.
    pub(crate) slug: Option<Slug>,
    /// The release that followed.
    pub(crate) release: Option<ReleaseRef>,
    /// Who pushed.
    pub(crate) user: Option<Person>,
    /// When it was asked for.
    pub(crate) created_at: Option<Timestamp>,
    /// When it began.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// Milliseconds of each step.
    #[serde(default)]
    pub(crate) durations: Option<BTreeMap<String, u64>>,
}

/// A release as other objects mention it.
#[derive(Debug, Deserialize)]
pub(crate) struct ReleaseRef {
    /// Its number, where the API tells it.
    #[serde(default)]
    pub(crate) version: Option<Version>,
}

impl Build {
    /// Tells whether it is still to come or under way.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running")
    }
}
