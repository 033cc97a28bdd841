//! Who asks for a change.

use model::id::{TokenId, UserId};

/// The user and the token behind a request, for the release, the audit row and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// The token they used, and its name.
    pub token: Option<(TokenId, String)>,
    /// Where the request came from.
    pub remote: Option<String>,
}
