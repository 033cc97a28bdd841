//! What the reconcile loop last made of the hosts, and which replicas have no place, for those who show it. Nothing of it is
//! stored: each turn finds it again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::fleet::Fleet;
use model::id::AppId;
use model::instances::InstanceId;
use model::plan::{MAKES_ROOM, Waiting};

/// The present outlook.
#[derive(Default)]
pub struct Outlook(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    fleet: Arc<Fleet>,
    waiting: Arc<Vec<Waiting>>,
    instances: Option<String>,
    strays: Arc<BTreeSet<InstanceId>>,
}

impl Outlook {
    /// Returns what was made of the hosts.
    #[must_use]
    pub fn fleet(&self) -> Arc<Fleet> {
        self.lock().fleet.clone()
    }

    /// Returns the replicas of an app that have no place.
    #[must_use]
    pub fn waiting(&self, app: AppId) -> Vec<Waiting> {
        let waiting = self.lock().waiting.clone();
        waiting.iter().filter(|waiting| waiting.app == app).cloned().collect()
    }

    /// Returns all replicas that have no place.
    #[must_use]
    pub fn all_waiting(&self) -> Arc<Vec<Waiting>> {
        self.lock().waiting.clone()
    }

    /// Returns what helps replicas that have no place, or is done about it already: the end of a sentence.
    #[must_use]
    pub fn help(&self) -> String {
        self.lock().instances.clone().unwrap_or_else(|| MAKES_ROOM.to_owned())
    }

    /// Notes what is done about replicas that have no place, if hosts are started as they are needed.
    pub fn set_instances(&self, instances: Option<String>) {
        self.lock().instances = instances;
    }

    /// Returns the cloud's instances that are the platform's and belong to no launch that it knows.
    pub(crate) fn strays(&self) -> Arc<BTreeSet<InstanceId>> {
        self.lock().strays.clone()
    }

    /// Notes which these are.
    pub(crate) fn set_strays(&self, strays: BTreeSet<InstanceId>) {
        self.lock().strays = Arc::new(strays);
    }

    /// Notes what was made of the hosts.
    pub fn set_fleet(&self, fleet: Arc<Fleet>) {
        self.lock().fleet = fleet;
    }

    /// Notes which replicas have no place; tells whether these are others than before.
    pub fn set_waiting(&self, waiting: Vec<Waiting>) -> bool {
        let mut seen = self.lock();
        let is_news = *seen.waiting != waiting;
        if is_news {
            seen.waiting = Arc::new(waiting);
        }
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
