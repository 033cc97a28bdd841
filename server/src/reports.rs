//! What was last heard of each host, at one moment. It holds, it does not judge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use model::id::{HostId, ReplicaId};
use model::replica::{HostReport, ReplicaStatus};

/// What was last heard of a host, and when.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its last report.
    pub report: Arc<HostReport>,
    /// The number that it gave it, which grows.
    pub number: u64,
    /// When anything was last heard of it; a report that did not change is not sent again.
    pub at: Instant,
}

/// What was last heard of every host that was heard of since this server started.
#[derive(Clone, Debug, Default)]
pub struct Reports(BTreeMap<HostId, Heard>);

impl Reports {
    /// Puts together what was heard.
    #[must_use]
    pub fn new(heard: BTreeMap<HostId, Heard>) -> Self {
        Self(heard)
    }

    /// Returns what was heard of a host, if anything was.
    #[must_use]
    pub fn of(&self, host: HostId) -> Option<&Heard> {
        self.0.get(&host)
    }

    /// Returns what was heard of each host.
    pub fn heard(&self) -> impl Iterator<Item = (HostId, &Heard)> {
        self.0.iter().map(|(host, heard)| (*host, heard))
    }

    /// Returns what a host said of a replica. What it says of replicas that are not its own nobody asks for.
    #[must_use]
    pub fn status(&self, host: HostId, replica: ReplicaId) -> Option<&ReplicaStatus> {
        status_of(&self.of(host)?.report, replica)
    }

    /// Returns all that was said of replicas, and by which host.
    pub fn replicas(&self) -> impl Iterator<Item = (HostId, &ReplicaStatus)> {
        self.0.iter().flat_map(|(host, heard)| heard.report.replicas.iter().map(|status| (*host, status)))
    }
}

/// Returns what a report says of a replica; reports are in the order of the ids.
#[must_use]
pub fn status_of(report: &HostReport, id: ReplicaId) -> Option<&ReplicaStatus> {
    let found = report.replicas.binary_search_by_key(&id, |status| status.id).ok()?;
    report.replicas.get(found)
}
