//! The formation and the running replicas, which the API calls dynos.

use jiff::Timestamp;
use serde::Deserialize;

use crate::api::build::ReleaseRef;

/// How many replicas of one process type are wanted, and how many are healthy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FormationEntry {
    /// The process type.
    pub(crate) r#type: String,
    /// How many are wanted.
    pub(crate) quantity: u64,
    /// How large each is.
    pub(crate) size: String,
    /// What it runs.
    pub(crate) command: Option<String>,
    /// How many of the current release are healthy.
    pub(crate) observed: Option<u64>,
}

/// A replica.
#[derive(Debug, Deserialize)]
pub(crate) struct Dyno {
    /// Its identity; its name may go to its successor.
    #[serde(default)]
    pub(crate) id: String,
    /// Its name, `web.1`.
    pub(crate) name: String,
    /// Its process type.
    pub(crate) r#type: String,
    /// Its number within the type.
    #[serde(default)]
    pub(crate) number: Option<u64>,
    /// Heroku's word for where it stands.
    #[serde(default)]
    pub(crate) state: String,
    /// Our word for where it stands.
    pub(crate) phase: Option<String>,
    /// Why it is not up.
    pub(crate) reason: Option<String>,
    /// The release it runs.
    pub(crate) release: Option<ReleaseRef>,
    /// The host it runs on.
    pub(crate) host: Option<String>,
    /// How often it was started again.
    #[serde(default)]
    pub(crate) restarts: Option<u64>,
    /// Memory in use.
    pub(crate) memory_bytes: Option<u64>,
    /// Requests it is working on, tunnels included.
    #[serde(default)]
    pub(crate) in_flight: u64,
    /// How many of these are tunnels, such as `WebSockets`.
    #[serde(default)]
    pub(crate) tunnels: u64,
    /// When it got where it stands.
    pub(crate) since: Option<Timestamp>,
}

impl Dyno {
    /// Returns where it stands, in our word if the server knows it.
    pub(crate) fn phase(&self) -> &str {
        self.phase.as_deref().unwrap_or(&self.state)
    }

    /// Returns the same, with what it still has to finish if it is draining.
    pub(crate) fn standing(&self) -> String {
        match (self.phase(), self.in_flight.saturating_sub(self.tunnels), self.tunnels) {
            ("draining", 0, 0) => "draining".to_owned(),
            ("draining", requests, 0) => format!("draining ({requests} in flight)"),
            ("draining", requests, tunnels) => format!("draining ({requests} in flight, {tunnels} tunnels)"),
            (phase, _, _) => phase.to_owned(),
        }
    }
}
