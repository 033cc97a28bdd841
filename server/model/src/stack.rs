//! What an app is built from: its source with buildpacks, or a container image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of the stack of container images, as on Heroku.
pub const CONTAINER: &str = "container";

/// What the builds of an app make a slug of. It takes effect with the next build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildStack {
    /// Its source, with buildpacks, on the platform's own base system.
    #[default]
    Buildpacks,
    /// The container image that its `Dockerfile` describes.
    Container,
}

/// The text names no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `buildpacks` nor `{CONTAINER}`")]
pub struct BuildStackError(String);

impl BuildStack {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Buildpacks, Self::Container];

    /// Returns its text form, as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buildpacks => "buildpacks",
            Self::Container => CONTAINER,
        }
    }
}

impl FromStr for BuildStack {
    type Err = BuildStackError;

    fn from_str(text: &str) -> Result<Self, BuildStackError> {
        Self::ALL
            .into_iter()
            .find(|stack| stack.as_str() == text)
            .ok_or_else(|| BuildStackError(text.to_owned()))
    }
}

impl fmt::Display for BuildStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
