//! Releases: a slug, a snapshot of the config vars and the process table under a number, never changed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a release: `v1`, `v2`, … of an app. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.0))
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let number = digits.parse().ok().filter(|n| *n > 0);
        number
            .map(Self)
            .ok_or_else(|| format!("a release is written v41 or 41, not `{}`", text.escape_debug()))
    }
}

/// Where a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseStatus {
    /// Its release command or its rollout is under way.
    Pending,
    /// It was rolled out, or had nothing to roll out.
    Succeeded,
    /// It never served; the release says why.
    Failed,
    /// A newer release took its place before it served.
    Expired,
    /// A user ended its rollout before it served.
    Cancelled,
}

impl ReleaseStatus {
    /// Returns the word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the word of Heroku's API that says most of it.
    #[must_use]
    pub fn heroku(self) -> &'static str {
        match self {
            Self::Cancelled => "failed",
            other => other.as_str(),
        }
    }
}

impl FromStr for ReleaseStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Succeeded, Self::Failed, Self::Expired, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("no release status `{text}`"))
    }
}

/// The commit a release was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRef {
    /// The full hexadecimal id.
    pub id: String,
    /// The first line of its message, without control characters.
    pub subject: String,
    /// Its author's name.
    pub author: String,
}

impl CommitRef {
    /// Returns the first eight digits of the id.
    #[must_use]
    pub fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}
