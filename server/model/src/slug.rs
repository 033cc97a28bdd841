//! A slug's name and manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::detection::VersionChoice;
use crate::image::ImageConfig;
use crate::procfile::ProcessTable;

/// The SHA-256 of a slug's image, as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slug's digest is 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// Returns the hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first digits, enough to tell slugs apart on a screen.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) { Ok(Self(text.to_owned())) } else { Err(DigestError) }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a slug holds, written beside the image and never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlugManifest {
    /// The command of each process type.
    pub processes: ProcessTable,
    /// The base system it was built on, such as `debian-12`, or `container` for what brings its own.
    pub stack: String,
    /// Runtimes and tools.
    pub versions: Vec<VersionChoice>,
    /// Buildpacks by name, with their versions, in the order they ran.
    pub buildpacks: Vec<(String, String)>,
    /// Installed packages by name, with their versions.
    pub packages: BTreeMap<String, String>,
    /// What the container image says of itself whose files it holds; nothing for what buildpacks made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageConfig>,
}
