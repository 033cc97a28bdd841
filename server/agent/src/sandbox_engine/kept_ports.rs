//! The ports of replicas, which the packet filter keeps for their own app's user among all apps.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::id::ReplicaId;
use sandbox::{Firewall, Privilege, Reach};

/// The packet filter of one host, with what it keeps for whom.
pub(super) struct KeptPorts {
    firewall: Result<Option<Firewall>, String>,
    kept: Mutex<HashMap<ReplicaId, (u32, u16)>>,
}

impl KeptPorts {
    /// Puts the rules into force, with the ports of the replicas that run already. Blocks for some milliseconds.
    pub(super) fn new(
        privilege: Privilege,
        reach: Option<&Reach>,
        found: HashMap<ReplicaId, (u32, u16)>,
    ) -> Self {
        let own: Vec<_> = found.values().copied().collect();
        let firewall = reach.map(|reach| Firewall::put_up(privilege, reach, &own)).transpose();
        Self { firewall, kept: Mutex::new(found) }
    }

    /// Keeps the port of a replica for its own app. Blocks for some milliseconds.
    pub(super) fn keep(&self, id: ReplicaId, uid: u32, port: u16) {
        let Ok(Some(firewall)) = &self.firewall else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose start failed before anything else of it was there has not been cleared away yet.
        let before =
            kept.iter().find(|(other, kept)| **other != id && kept.1 == port).map(|(other, _)| *other);
        let forgotten = before.and_then(|other| kept.remove(&other));
        kept.insert(id, (uid, port));
        let forgotten = forgotten.map_or(Ok(()), |(uid, port)| firewall.forget(uid, port));
        if let Err(error) = forgotten.and_then(|()| firewall.keep(uid, port)) {
            tracing::warn!(replica = %id, "other apps can reach the port of a replica: {error}");
        }
    }

    /// Forgets the port of a replica that is gone, if it had one. Blocks for some milliseconds.
    pub(super) fn forget(&self, id: ReplicaId) {
        let Ok(Some(firewall)) = &self.firewall else { return };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some((uid, port)) = kept
            && let Err(error) = firewall.forget(uid, port)
        {
            tracing::warn!(port, "a port stays kept for an app that had it: {error}");
        }
    }

    /// Returns why there is no packet filter, as a sentence, if there should be one.
    pub(super) fn degraded(&self) -> Option<String> {
        self.firewall.as_ref().err().cloned()
    }
}
