//! When a replica counts as healthy, and why it does not, in words.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How the health of an app's replicas is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// The path asked for; any status below 500 is healthy.
    pub path: String,
    /// How long a replica may take until it is healthy for the first time, in seconds.
    pub boot_seconds: u32,
    /// How long one answer may take, in seconds.
    pub timeout_seconds: u32,
    /// How long a process without a port must run to count as healthy, in milliseconds.
    pub settle_ms: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { path: "/".to_owned(), boot_seconds: 60, timeout_seconds: 5, settle_ms: 1_000 }
    }
}

/// What helps where it listens elsewhere.
const BIND: &str = "bind to 0.0.0.0:$PORT";

/// Why a web replica is not healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeFailure {
    /// Nothing accepts on its port.
    NotListening {
        /// The port it was given in `$PORT`.
        port: u16,
        /// Where it listens instead.
        elsewhere: Vec<SocketAddr>,
    },
    /// It answered with a server error.
    Status {
        /// The path asked for.
        path: String,
        /// The HTTP status, 500 or more.
        status: u16,
        /// The first line of the answer's body.
        body: String,
    },
    /// It accepted but did not answer in time.
    NoAnswer {
        /// The path asked for.
        path: String,
        /// The time limit in seconds.
        seconds: u32,
    },
    /// It answered something that is not HTTP, or hung up.
    NotHttp {
        /// What the client library said.
        detail: String,
    },
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListening { port, elsewhere } => match elsewhere.as_slice() {
                [] => write!(f, "does not listen on $PORT {port}"),
                [one] => write!(f, "listens on {one}, not on $PORT {port} ({BIND})"),
                [one, rest @ ..] => {
                    write!(f, "listens on {one} and {} more, not on $PORT {port} ({BIND})", rest.len())
                }
            },
            Self::Status { path, status, body } if body.is_empty() => write!(f, "answers {status} on {path}"),
            Self::Status { path, status, body } => write!(f, "answers {status} on {path}: {body}"),
            Self::NoAnswer { path, seconds } => write!(f, "does not answer on {path} within {seconds} s"),
            Self::NotHttp { detail } => write!(f, "does not speak HTTP on $PORT: {detail}"),
        }
    }
}
