//! Hosts as the server shows them.

use jiff::Timestamp;
use serde::Deserialize;

/// A host.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Host {
    /// Its identity.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) zone: String,
    /// How it stands: ready, draining, silent, lost or returning.
    pub(crate) state: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// What its cloud says of it.
    pub(crate) notice: Option<String>,
    /// Since when it was said to be so.
    pub(crate) since: Option<Timestamp>,
    /// Whether it is the agent inside a server.
    pub(crate) embedded: bool,
    /// What it offers, and what is free of it; nothing: no bound.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_free_bytes: Option<u64>,
    pub(crate) cpu_millicores: Option<u64>,
    pub(crate) cpu_free_millicores: Option<u64>,
    /// What its machine has in use now.
    #[serde(flatten)]
    pub(crate) in_use: InUse,
    /// What it had in use in the last hour, where one host is shown.
    pub(crate) last_hour: Option<Hour>,
    /// How many replicas are there, also such that leave.
    pub(crate) replicas: u64,
    /// What runs there.
    pub(crate) version: Option<String>,
    pub(crate) engine: Option<String>,
    /// Where routers reach it.
    pub(crate) address: Option<String>,
    pub(crate) entry_port: Option<u16>,
    /// When it was last heard of.
    pub(crate) last_seen_at: Option<Timestamp>,
    /// What it is as an instance of a cloud, if the server has started it.
    pub(crate) instance: Option<Instance>,
    /// What it cannot do, in sentences.
    pub(crate) degraded: Vec<String>,
    /// The replicas, where one host is shown.
    pub(crate) dynos: Vec<HostDyno>,
    /// What was asked of the apps that have replicas there, as the server's router has counted.
    pub(crate) apps: Vec<HostApp>,
    /// Replicas of these apps that have no place.
    pub(crate) waiting: Vec<HostWaiting>,
}

impl Host {
    /// Tells whether it is an instance that is no host (yet).
    pub(crate) fn is_only_instance(&self) -> bool {
        self.instance.is_some() && self.last_seen_at.is_none()
    }
}

/// What a machine has in use of what it has, whoever uses it: cores and bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InUse {
    pub(crate) cpu_used: Option<f64>,
    pub(crate) cpu_total: Option<f64>,
    pub(crate) memory_used_bytes: Option<u64>,
    pub(crate) memory_total_bytes: Option<u64>,
}

/// What a machine had in use over an hour.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hour {
    /// The mean of the processor time and the most memory.
    #[serde(flatten)]
    pub(crate) in_use: InUse,
    /// How many minutes nobody measured.
    pub(crate) missing_minutes: u64,
}

/// An instance of a cloud.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Instance {
    /// Which one, once the cloud has given it.
    pub(crate) id: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// How it is paid for.
    pub(crate) lifecycle: String,
    /// The image that it was made from.
    pub(crate) image: String,
    /// What it is doing: asked, booting, joined, draining or ending.
    pub(crate) doing: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
}

/// A replica on a host.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostDyno {
    /// Its identity.
    pub(crate) id: String,
    /// Its app.
    pub(crate) app: Option<String>,
    /// Its name, `web.1`.
    pub(crate) name: String,
    /// The number of the release it runs.
    pub(crate) version: u64,
    /// How large it is.
    pub(crate) size: String,
    /// It runs until it ends by itself.
    pub(crate) once: bool,
    /// Where it stands.
    pub(crate) phase: String,
    /// How often it was started again.
    pub(crate) restarts: u64,
}

impl HostDyno {
    /// Returns the app and the name.
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.app.as_deref().unwrap_or("?"), self.name)
    }
}

/// What was asked of an app since the server started.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostApp {
    /// Its name.
    pub(crate) name: String,
    /// Requests.
    pub(crate) requests: u64,
    /// Those that were answered with an error of the server's or the app's.
    pub(crate) failed: u64,
}

/// A replica that has no place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostWaiting {
    /// Its app.
    pub(crate) app: String,
    /// Its name.
    pub(crate) name: String,
    /// Why.
    pub(crate) reason: String,
}

/// What a machine joins with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JoinToken {
    /// What the host will be called, if that was said.
    pub(crate) name: Option<String>,
    /// Where it will be.
    pub(crate) zone: String,
    /// The token.
    pub(crate) token: String,
    /// Where the machine calls.
    pub(crate) server: String,
    /// When it stops working.
    pub(crate) expires_at: Option<Timestamp>,
}
