//! What each host should run and look at, for whoever brings it there. The reconcile loop writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::id::{HostId, ReplicaId};
use model::replica::HostDesired;
use tokio::sync::watch;

/// What a host is told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What it should run; nothing until this server has said it.
    pub desired: Option<Arc<HostDesired>>,
    /// Replicas to be probed at once, because requests to them are not answered.
    pub doubted: BTreeSet<ReplicaId>,
    /// How many drills were begun since this server started.
    pub drills: u64,
    /// How many collections were begun since this server started.
    pub collections: u64,
}

/// What every host is told.
#[derive(Default)]
pub struct Wishes {
    hosts: Mutex<BTreeMap<HostId, watch::Sender<Told>>>,
}

impl Wishes {
    /// Says what a host should run from now on.
    pub fn wish(&self, host: HostId, desired: Arc<HostDesired>) {
        self.lock().entry(host).or_default().send_modify(|told| told.desired = Some(desired));
    }

    /// Takes back what was wished, because another server has to say it now. Hosts go on with what they know.
    pub fn withdraw(&self) {
        for host in self.lock().values() {
            host.send_modify(|told| told.desired = None);
        }
    }

    /// Has replicas of a host probed at once.
    pub fn doubt(&self, host: HostId, replicas: impl IntoIterator<Item = ReplicaId>) {
        self.lock().entry(host).or_default().send_modify(|told| told.doubted.extend(replicas));
    }

    /// Returns the replicas of a host that are in doubt; the caller tells the host.
    pub fn take_doubted(&self, host: HostId) -> BTreeSet<ReplicaId> {
        let mut doubted = BTreeSet::new();
        self.lock().entry(host).or_default().send_if_modified(|told| {
            doubted = std::mem::take(&mut told.doubted);
            false
        });
        doubted
    }

    /// Has all replicas of a host killed. Other hosts than this one hear of it when they call the next time.
    pub fn drill(&self, host: HostId) {
        self.lock().entry(host).or_default().send_modify(|told| told.drills += 1);
    }

    /// Has this server's own host look for what nobody needs; others do so by themselves.
    pub fn collect(&self, here: HostId) {
        self.lock().entry(here).or_default().send_modify(|told| told.collections += 1);
    }

    /// Returns what tells what a host is told.
    #[must_use]
    pub fn of(&self, host: HostId) -> watch::Receiver<Told> {
        self.lock().entry(host).or_default().subscribe()
    }

    /// Forgets a host that is no more; who waits for its wishes is told so.
    pub fn forget(&self, host: HostId) {
        self.lock().remove(&host);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, watch::Sender<Told>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
