//! Who may do what: the scope of a token and the decision that follows from it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token may be used for. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything but config values.
    Read,
    /// Change apps.
    Write,
    /// Change users, tokens and the platform.
    Admin,
}

impl Scope {
    /// Returns the word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Tells whether a token of this scope may do what needs `needed`.
    #[must_use]
    pub fn allows(self, needed: Self) -> bool {
        self >= needed
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" | "global" => Ok(Self::Admin),
            _ => Err(format!(
                "there is no scope `{}`; the scopes are read, write and admin",
                text.escape_debug()
            )),
        }
    }
}
