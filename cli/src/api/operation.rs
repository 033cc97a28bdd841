//! A change that is being brought about, as the API shows it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::api::app::Person;
use crate::api::build::ReleaseRef;

/// A rollout or restart.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// Its id.
    #[serde(default)]
    pub(crate) id: String,
    /// What it brings about.
    pub(crate) kind: Option<String>,
    /// The app.
    pub(crate) app: Option<AppRef>,
    /// Who asked for it.
    pub(crate) user: Option<Person>,
    /// The server that works at it, or last did.
    pub(crate) owner: Option<String>,
    /// The last thing that happened.
    pub(crate) step: Option<String>,
    /// When it began.
    pub(crate) created_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// When it has failed at the latest.
    pub(crate) deadline: Option<Timestamp>,
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

/// An app as other objects mention it.
#[derive(Debug, Deserialize)]
pub(crate) struct AppRef {
    /// Its name.
    pub(crate) name: String,
}

/// One thing that happened.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: Option<Timestamp>,
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

impl OperationState {
    /// Returns the word that is shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }
}
