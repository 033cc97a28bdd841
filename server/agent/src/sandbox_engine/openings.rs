//! The ports of replicas that the packet filter opens to their own app's user, and to nobody else of the apps.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::id::ReplicaId;
use sandbox::{Firewall, Privilege, Reach};

/// The packet filter of one host, with what is open.
pub(super) struct Openings {
    firewall: Result<Option<Firewall>, String>,
    open: Mutex<HashMap<ReplicaId, (u32, u16)>>,
}

impl Openings {
    /// Puts the rules into force, with the ports of the replicas that run already. Blocks for some milliseconds.
    pub(super) fn new(
        privilege: Privilege,
        reach: Option<&Reach>,
        found: HashMap<ReplicaId, (u32, u16)>,
    ) -> Self {
        let own: Vec<_> = found.values().copied().collect();
        let firewall = reach.map(|reach| Firewall::put_up(privilege, reach, &own)).transpose();
        Self { firewall, open: Mutex::new(found) }
    }

    /// Opens the port of a replica to its own app. Blocks for some milliseconds.
    pub(super) fn open(&self, id: ReplicaId, uid: u32, port: u16) {
        let Ok(Some(firewall)) = &self.firewall else { return };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (uid, port));
        if let Err(error) = firewall.open(uid, port) {
            tracing::warn!(replica = %id, "a replica cannot connect to its own port: {error}");
        }
    }

    /// Closes the port of a replica that is gone, if one was open. Blocks for some milliseconds.
    pub(super) fn close(&self, id: ReplicaId) {
        let Ok(Some(firewall)) = &self.firewall else { return };
        let closed = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some((uid, port)) = closed
            && let Err(error) = firewall.close(uid, port)
        {
            tracing::warn!(port, "a port stays open to an app that had it: {error}");
        }
    }

    /// Returns why there is no packet filter, as a sentence, if there should be one.
    pub(super) fn degraded(&self) -> Option<String> {
        self.firewall.as_ref().err().cloned()
    }
}
