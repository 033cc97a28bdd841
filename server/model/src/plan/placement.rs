//! Chooses a host for a new replica: spread one type of one app first, then even out the load.

use std::collections::BTreeMap;

use crate::id::{AppId, HostId};
use crate::name::ProcessType;

use super::view::{ReplicaView, ReplicaWish, World};

/// What runs where, kept up to date while a plan is made.
pub(super) struct Room {
    ready: BTreeMap<HostId, usize>,
    by_type: BTreeMap<(AppId, ProcessType, HostId), usize>,
}

impl Room {
    /// Counts what is on each ready host.
    pub(super) fn of(world: &World) -> Self {
        let ready = world.hosts.iter().filter(|host| host.ready).map(|host| (host.id, 0)).collect();
        let mut room = Self { ready, by_type: BTreeMap::new() };
        for app in &world.apps {
            for replica in app.replicas.iter().filter(|replica| replica.wish != ReplicaWish::Stop) {
                room.take(app.id, &replica.process, replica.host);
            }
        }
        room
    }

    /// Tells whether a replica's host keeps it.
    pub(super) fn keeps(&self, replica: &ReplicaView) -> bool {
        self.ready.contains_key(&replica.host)
    }

    /// Takes a place and returns its host; none when no host is ready. Ties go to the lowest id.
    pub(super) fn place(&mut self, app: AppId, process: &ProcessType) -> Option<HostId> {
        let alike = |host: HostId| self.by_type.get(&(app, process.clone(), host)).copied().unwrap_or(0);
        let host = self
            .ready
            .iter()
            .min_by_key(|(host, load)| (alike(**host), **load, **host))
            .map(|(host, _)| *host)?;
        self.take(app, process, host);
        Some(host)
    }

    fn take(&mut self, app: AppId, process: &ProcessType, host: HostId) {
        if let Some(load) = self.ready.get_mut(&host) {
            *load += 1;
        }
        *self.by_type.entry((app, process.clone(), host)).or_default() += 1;
    }
}
