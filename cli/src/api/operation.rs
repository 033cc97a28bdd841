//! A change that is being brought about, as the API shows it.

use serde::Deserialize;

use crate::api::build::ReleaseRef;

/// A rollout or restart.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// Where it stands.
    pub(crate) state: OperationState,
    /// The release it is about.
    pub(crate) release: Option<ReleaseRef>,
    /// The operation that took its place.
    pub(crate) superseded_by: Option<String>,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    /// What happened, oldest first.
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

/// One thing that happened.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    /// What, in words.
    pub(crate) text: String,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OperationState {
    /// Under way.
    Active,
    /// What was asked is observed.
    Succeeded,
    /// It will not be; the reason says why.
    Failed,
    /// A newer one took its place.
    Superseded,
    /// A user stopped it.
    Cancelled,
}
