//! What a push asks for: which reference moves from where to where.

use serde::{Deserialize, Serialize};

use crate::ObjectId;

/// One reference that a push creates (`old` is none), moves or deletes (`new` is none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefUpdate {
    /// Where it is now; none where it is new.
    pub old: Option<ObjectId>,
    /// Where it goes; none where it is deleted.
    pub new: Option<ObjectId>,
    /// Its full name, `refs/heads/main`.
    pub name: String,
}

impl RefUpdate {
    /// Returns the branch's name when this is a branch.
    pub fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }
}
