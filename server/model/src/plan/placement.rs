//! Chooses a host for a new replica: spread one type of one app first, then even out the load.

use std::collections::{BTreeSet, HashMap};

use crate::id::HostId;
use crate::name::ProcessType;

use super::view::{AppView, ReplicaView, ReplicaWish, World};

/// What runs where, kept up to date while a plan is made. A choice looks at no more hosts than the type is spread over.
pub(super) struct Room {
    load: HashMap<HostId, usize>,
    by_load: BTreeSet<(usize, HostId)>,
}

impl Room {
    /// Counts what is on each ready host.
    pub(super) fn of(world: &World) -> Self {
        let mut load: HashMap<_, _> =
            world.hosts.iter().filter(|host| host.ready).map(|host| (host.id, 0)).collect();
        for replica in world.apps.iter().flat_map(|app| &app.replicas) {
            if replica.wish != ReplicaWish::Stop
                && let Some(load) = load.get_mut(&replica.host)
            {
                *load += 1;
            }
        }
        let by_load = load.iter().map(|(host, load)| (*load, *host)).collect();
        Self { load, by_load }
    }

    /// Tells whether a replica's host keeps it.
    pub(super) fn keeps(&self, replica: &ReplicaView) -> bool {
        self.load.contains_key(&replica.host)
    }

    /// Takes a place and returns its host; none when no host is ready. Ties go to the lowest id.
    pub(super) fn place(&mut self, spread: &mut Spread) -> Option<HostId> {
        let without = self.by_load.iter().find(|(_, host)| !spread.0.contains_key(host));
        let fewest = || {
            let ready =
                spread.0.iter().filter_map(|(host, alike)| Some((*alike, *self.load.get(host)?, *host)));
            ready.min().map(|(_, load, host)| (load, host))
        };
        let (load, host) = without.copied().or_else(fewest)?;
        self.by_load.remove(&(load, host));
        self.by_load.insert((load + 1, host));
        self.load.insert(host, load + 1);
        *spread.0.entry(host).or_default() += 1;
        Some(host)
    }
}

/// How many replicas of one type of one app each host has, for those that have any.
pub(super) struct Spread(HashMap<HostId, usize>);

impl Spread {
    /// Counts them.
    pub(super) fn of(app: &AppView, process: &ProcessType) -> Self {
        let mut spread = HashMap::new();
        let there = |replica: &&ReplicaView| replica.process == *process && replica.wish != ReplicaWish::Stop;
        for replica in app.replicas.iter().filter(there) {
            *spread.entry(replica.host).or_default() += 1;
        }
        Self(spread)
    }
}
