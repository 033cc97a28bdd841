//! The platform itself, as `doctor` looks at it.

use serde::Deserialize;

/// What the server says about itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Platform {
    /// Its version.
    pub(crate) version: String,
    /// The base system of builds and replicas.
    pub(crate) stack: String,
    /// How replicas are run.
    pub(crate) engine: String,
    /// What it may do on its machine.
    pub(crate) mode: Mode,
    /// What it cannot do there, in sentences.
    pub(crate) degraded: Vec<String>,
    /// The disk of its data.
    pub(crate) disk: Disk,
    /// Where its data is.
    pub(crate) data_dir: Option<String>,
    /// Where apps are reached.
    pub(crate) router_url: Option<String>,
    /// How many apps there are.
    pub(crate) apps: u64,
    /// How many replicas run.
    pub(crate) replicas: u64,
}

/// What the server may do on its machine.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Mode {
    /// Whether it runs as root.
    pub(crate) root: bool,
}

/// The disk of the server's data.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Disk {
    /// Bytes that are free.
    pub(crate) free_bytes: u64,
    /// Bytes in all.
    pub(crate) total_bytes: u64,
    /// Inodes that are free.
    pub(crate) free_inodes: Option<u64>,
    /// Bytes that builds leave alone.
    pub(crate) reserve_bytes: u64,
}
