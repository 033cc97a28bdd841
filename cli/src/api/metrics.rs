//! What an app and its replicas did.

use serde::Deserialize;

/// A window of minutes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metrics {
    /// All requests of it.
    pub(crate) total: Requests,
    /// The requests of each minute, the one under way last.
    pub(crate) minutes: Vec<Requests>,
    /// Of how many of them requests may be missing, because a server was killed.
    pub(crate) uncounted_minutes: usize,
    /// Its replicas by name.
    pub(crate) replicas: Vec<ReplicaUse>,
}

/// Requests that ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Requests {
    /// All of them.
    pub(crate) requests: u64,
    /// Those with a status of 2xx, and so on.
    #[serde(rename = "2xx")]
    pub(crate) success: u64,
    #[serde(rename = "3xx")]
    pub(crate) redirect: u64,
    #[serde(rename = "4xx")]
    pub(crate) client_error: u64,
    #[serde(rename = "5xx")]
    pub(crate) server_error: u64,
    /// What half of them took at most, in milliseconds, and so on.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// What a replica used in each minute.
#[derive(Debug, Deserialize)]
pub(crate) struct ReplicaUse {
    /// Its name, `web.1`.
    pub(crate) name: String,
    /// Processor time in percent of one core.
    #[serde(default)]
    pub(crate) cpu_percent: Vec<Option<f64>>,
    /// Memory.
    #[serde(default)]
    pub(crate) memory_bytes: Vec<Option<u64>>,
    /// In how many of the minutes it ran and nobody measured it.
    #[serde(default)]
    pub(crate) missing_minutes: u64,
    /// Its requests, and those of them that were answered with 5xx; older servers do not say.
    #[serde(default)]
    pub(crate) requests: Vec<u64>,
    #[serde(default)]
    pub(crate) errors: Vec<u64>,
}
