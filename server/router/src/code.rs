//! What can go wrong with a request, by the codes of Heroku's router.
//!
//! Source: <https://devcenter.heroku.com/articles/error-codes>. The descriptions go to the owner's log; a visitor
//! sees none of this.

use http::StatusCode;
use std::fmt;

/// Why a request was not served as the replica would have served it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the descriptions below document the codes")]
pub enum Code {
    H10,
    H11,
    H12,
    H13,
    H14,
    H15,
    H17,
    H18,
    H19,
    H21,
    H22,
    H26,
    H27,
    H28,
    H80,
}

impl Code {
    /// Returns the description that follows the code in the log.
    pub fn description(self) -> &'static str {
        match self {
            Self::H10 => "App crashed",
            Self::H11 => "Backlog too deep",
            Self::H12 => "Request timeout",
            Self::H13 => "Connection closed without response",
            Self::H14 => "No web processes running",
            Self::H15 => "Idle connection",
            Self::H17 => "Poorly formed HTTP response",
            Self::H18 => "Server Request Interrupted",
            Self::H19 => "Backend connection timeout",
            Self::H21 => "Backend connection refused",
            Self::H22 => "Connection limit reached",
            Self::H26 => "Request Error",
            Self::H27 => "Client Request Interrupted",
            Self::H28 => "Client Connection Idle",
            Self::H80 => "Maintenance mode",
        }
    }

    /// Returns the status the log shows, which is what the visitor gets while an answer can still be sent.
    pub fn status(self) -> StatusCode {
        match self {
            Self::H26 => StatusCode::BAD_REQUEST,
            // 499 has no name; nginx and Heroku write it for a client that went away.
            Self::H27 | Self::H28 => {
                StatusCode::from_u16(499).expect("499 lies in the range of status codes")
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns whether the replica, not the visitor or the platform, is to blame.
    pub fn blames_replica(self) -> bool {
        matches!(self, Self::H12 | Self::H13 | Self::H15 | Self::H17 | Self::H18 | Self::H19 | Self::H21)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
