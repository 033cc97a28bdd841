//! What detection looked for, what it found, and what follows: the data behind the build log's explanation.

use serde::{Deserialize, Serialize};

/// The whole detection of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionTrace {
    /// The buildpacks that were tried, in order.
    pub attempts: Vec<Attempt>,
    /// The name of the buildpack that was chosen.
    pub chosen: Option<String>,
    /// Why this one, or why none, in one sentence.
    pub because: String,
    /// What to do next when nothing matched: the nearest miss and the file to add.
    pub hint: Option<String>,
    /// The runtimes and tools that were chosen, each with the file or rule that asked for it.
    pub versions: Vec<VersionChoice>,
    /// The process types, each with where it came from.
    pub processes: Vec<ProcessOrigin>,
}

/// One buildpack that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The buildpack's name, such as `python`.
    pub buildpack: String,
    /// Each thing it looked for.
    pub looked_for: Vec<Look>,
    /// Whether it applies.
    pub matched: bool,
    /// What follows from what was found, in words.
    pub therefore: String,
}

/// One thing a buildpack looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The path it looked at, from the root of the source.
    pub path: String,
    /// Whether it was there.
    pub found: bool,
    /// What was read there, or why it matters, if there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionChoice {
    /// What it is a version of, such as `python` or `uv`.
    pub name: String,
    /// What was asked for, such as `>=3.11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The exact version.
    pub version: String,
    /// The file, pin or default that asked for it.
    pub origin: String,
    /// Whether an earlier build had pinned it.
    pub pinned: bool,
    /// A newer version that `pins:upgrade` would choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<String>,
}

/// Where a process type came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessOrigin {
    /// The process type.
    pub process: String,
    /// Its command line.
    pub command: String,
    /// Why it is there, such as "Procfile" or "default of python: manage.py found".
    pub origin: String,
}
