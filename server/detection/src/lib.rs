#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The built-in buildpacks and what follows from what they look for: which one applies, why, and, when none
//! does, what comes nearest. Needs no server and no sandbox, so that the CLI can detect on its own.

mod buildpack;
mod builtin;
mod explain;
mod listing;
mod local;
mod nearest;
mod verdict;

pub use buildpack::{Buildpack, BuildpackError};
pub use builtin::builtin;
pub use explain::explain;
pub use listing::{LISTED_MAX, Listing};
pub use local::{LocalError, detect_locally};
pub use nearest::{Miss, nearest};
pub use verdict::{Outcome, attempt, verdict};
