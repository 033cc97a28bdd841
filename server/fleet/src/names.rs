//! The names in certificates and handshakes. They are of this platform only and resolve nowhere.

use model::id::{HostId, ReplicaId};

/// The name of every server.
pub const CONTROL: &str = "control.paas.internal";

const HOSTS: &str = ".hosts.paas.internal";
const REPLICAS: &str = ".replicas.paas.internal";

/// Returns the name of a host.
#[must_use]
pub fn host_name(host: HostId) -> String {
    format!("{host}{HOSTS}")
}

/// Returns the host that has a name.
pub(crate) fn host_of(name: &str) -> Option<HostId> {
    name.strip_suffix(HOSTS)?.parse().ok()
}

/// Returns the name by which a host's entry is asked for a replica.
#[must_use]
pub fn replica_server_name(replica: ReplicaId) -> String {
    format!("{replica}{REPLICAS}")
}

/// Returns the replica that is asked for by a name.
#[must_use]
pub fn replica_of(name: &str) -> Option<ReplicaId> {
    name.strip_suffix(REPLICAS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let (host, replica) = (HostId::new(), ReplicaId::new());
        assert_eq!(host_of(&host_name(host)), Some(host));
        assert_eq!(replica_of(&replica_server_name(replica)), Some(replica));
        assert_eq!(host_of(CONTROL), None);
        assert_eq!(replica_of(&host_name(host)), None);
    }
}
