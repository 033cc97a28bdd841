//! Who may do what, and who did what, as the API shows it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::api::app::{Named, Person};

/// A user.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    /// The address that names the user.
    pub(crate) email: String,
    /// What the user may do at most.
    pub(crate) scope: Option<String>,
    /// Whether the user may do nothing any more.
    pub(crate) disabled: bool,
    /// When the user was made.
    pub(crate) created_at: Option<Timestamp>,
}

/// A credential; only the answer to its creation holds the token itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Authorization {
    /// Its id.
    pub(crate) id: String,
    /// What it is for, in the owner's words.
    pub(crate) description: Option<String>,
    /// What it may be used for.
    pub(crate) scope: Vec<String>,
    /// When it was made.
    pub(crate) created_at: Option<Timestamp>,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// The secret part.
    pub(crate) access_token: Option<AccessToken>,
}

/// The secret part of a credential.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccessToken {
    /// The token; absent in listings.
    pub(crate) token: Option<String>,
    /// Seconds until it ends, as Heroku's API tells it.
    pub(crate) expires_in: Option<i64>,
}

/// Nothing of a token may be shown by accident.
impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Someone who may work with an app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Collaborator {
    /// Who.
    pub(crate) user: Person,
    /// `owner` or `collaborator`.
    pub(crate) role: Option<String>,
    /// How far they may go.
    pub(crate) scope: Option<String>,
    /// Since when.
    pub(crate) created_at: Option<Timestamp>,
}

/// A row of the audit trail.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Activity {
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// Who.
    pub(crate) actor: Option<Person>,
    /// What, such as `config:set`.
    pub(crate) action: String,
    /// On which app.
    pub(crate) app: Option<Named>,
    /// More about it.
    pub(crate) detail: Option<serde_json::Value>,
}
