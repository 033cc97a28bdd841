//! The platform itself, as `doctor` looks at it.

use jiff::Timestamp;
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
    /// Its nightly backups, if it makes any.
    pub(crate) backups: Option<Backups>,
    /// Where its data is.
    pub(crate) data_dir: Option<String>,
    /// Where apps are reached.
    pub(crate) router_url: Option<String>,
    /// How apps are reached over TLS; nothing from a server that does not say.
    pub(crate) tls: Option<Tls>,
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

/// The server's nightly backups.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Backups {
    /// Where they go.
    pub(crate) place: String,
    /// How the last one went.
    pub(crate) last: Option<Backup>,
}

/// How a nightly backup went.
#[derive(Debug, Deserialize)]
pub(crate) struct Backup {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// Where it is, if it was made.
    pub(crate) file: Option<String>,
    /// What is not as it should be in it.
    pub(crate) warnings: Vec<String>,
    /// Why there is none.
    pub(crate) failure: Option<String>,
}

/// How apps are reached over TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tls {
    /// Where the router listens; nowhere without the option for it.
    pub(crate) listen: Option<String>,
    /// Where the certificates lie.
    pub(crate) dir: String,
    /// What lies there.
    pub(crate) certificates: Vec<Certificate>,
}

/// A certificate on the server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Certificate {
    /// The domain it is for.
    pub(crate) name: String,
    /// When it ends to be valid.
    pub(crate) expires_at: Option<Timestamp>,
    /// Why it is of no use, if it is not.
    pub(crate) problem: Option<String>,
}
