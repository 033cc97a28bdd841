//! Releases and what differs between two of them, as the API shows them.

use jiff::Timestamp;
use model::release::{CommitRef, Version};
use serde::Deserialize;

use crate::api::app::Person;

/// A release.
#[derive(Debug, Deserialize)]
pub(crate) struct Release {
    /// Its number.
    pub(crate) version: Version,
    /// What it changed.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// `pending`, `succeeded`, `failed`, `expired` or `cancelled`.
    #[serde(default)]
    pub(crate) state: String,
    /// Whether it is the one that serves.
    #[serde(default)]
    pub(crate) current: bool,
    /// The release that a rollback goes back to.
    pub(crate) rollback_of: Option<Version>,
    /// When it was made.
    pub(crate) created_at: Option<Timestamp>,
    /// When its rollout ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// Who made it.
    pub(crate) user: Option<Person>,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    /// What it was built from.
    pub(crate) commit: Option<CommitRef>,
    /// What it runs.
    pub(crate) slug: Option<Slug>,
    /// Where the output of its release command is.
    pub(crate) output_stream_url: Option<String>,
    /// The rollout that is under way.
    pub(crate) operation: Option<String>,
    /// Until when it is watched after its rollout.
    pub(crate) watching_until: Option<Timestamp>,
    /// The release that comes back if it fails until then.
    pub(crate) reverts_to: Option<Version>,
}

/// A slug as other objects mention it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Slug {
    /// The SHA-256 of its image.
    pub(crate) digest: Option<String>,
    /// The size of its image.
    pub(crate) bytes: Option<u64>,
}

/// What differs between two releases.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Difference {
    /// The commits that are new, newest first.
    pub(crate) commits: Vec<CommitRef>,
    /// The files of the source that differ.
    pub(crate) files: Vec<FileChange>,
    /// Installed packages.
    pub(crate) packages: Vec<Change>,
    /// Runtimes and tools.
    pub(crate) versions: Vec<Change>,
    /// Names of config vars.
    pub(crate) config: ConfigChange,
    /// Commands of process types.
    pub(crate) processes: Vec<ProcessChange>,
    /// How many more commits there are.
    pub(crate) more_commits: u64,
    /// How many more files differ.
    pub(crate) more_files: u64,
    /// How many commits of the older one are not in the newer.
    pub(crate) dropped_commits: u64,
}

/// A file that differs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FileChange {
    /// Its path from the root of the source.
    pub(crate) path: String,
    /// Such as `added`, `modified` or `deleted`.
    pub(crate) status: String,
    /// Lines that are new.
    pub(crate) added: Option<u64>,
    /// Lines that are gone.
    pub(crate) removed: Option<u64>,
}

/// Something that went from one version to another; absent on one side when it is new or gone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    /// Its name.
    pub(crate) name: String,
    /// The older side.
    pub(crate) from: Option<String>,
    /// The newer side.
    pub(crate) to: Option<String>,
}

/// A process type whose command differs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProcessChange {
    /// The process type.
    pub(crate) r#type: String,
    /// The older command.
    pub(crate) from: Option<String>,
    /// The newer command.
    pub(crate) to: Option<String>,
}

/// Names of config vars that differ, never values.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigChange {
    /// Only in the newer.
    pub(crate) added: Vec<String>,
    /// In both with other values.
    pub(crate) changed: Vec<String>,
    /// Only in the older.
    pub(crate) removed: Vec<String>,
}
