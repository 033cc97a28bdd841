//! The first member: what the backup is of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The newest format that is known; it grows when an older version could not read what is written.
pub const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the archive.
    pub format: u32,
    /// The version of `paasd` that made it.
    pub version: String,
    /// The newest migration of the database that it was made of.
    pub schema: i64,
    /// The moment that it shows.
    pub made_at: Timestamp,
    /// The domain of the apps' own names.
    pub domain: String,
    /// The apps, by name.
    pub apps: Vec<String>,
}
