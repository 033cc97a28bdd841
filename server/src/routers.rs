//! What the routers of other servers have under way. A replica that leaves is let go when every router has: the table
//! without it is in force there, and none of its requests is unanswered. This server's own router `facts` asks itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::id::ReplicaId;
use tokio::sync::watch;

/// A router that is not heard of for so long has no visitors, or none that could be helped.
const SILENCE: Duration = Duration::from_secs(4);

/// What is known of the other routers.
#[derive(Default)]
pub struct Routers {
    known: Mutex<Known>,
    /// As of which moment the table of this server's own router is.
    published: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    /// The moment of the turn that is under way.
    moment: u64,
    /// When replicas were first told to leave.
    left: BTreeMap<ReplicaId, u64>,
    others: BTreeMap<String, Other>,
}

/// What another server said of its router.
struct Other {
    moment: u64,
    busy: BTreeSet<ReplicaId>,
    at: Instant,
}

impl Routers {
    /// Takes note of the moment of which all follows that is said of tables until the next one.
    pub fn begin(&self, moment: u64) {
        self.lock().moment = moment;
    }

    /// Takes note that a replica is told to leave.
    pub fn leave(&self, id: ReplicaId) {
        let mut known = self.lock();
        let moment = known.moment;
        known.left.entry(id).or_insert(moment);
    }

    /// Says that this server's table is as of the present moment.
    pub fn publish(&self) {
        let moment = self.lock().moment;
        self.published.send_if_modified(|published| std::mem::replace(published, moment) != moment);
    }

    /// Returns what tells as of which moment this server's table is.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Takes note of what another server says: as of which moment its table is, and which replicas that leave it still has
    /// requests at.
    pub fn hear(&self, server: &str, moment: u64, busy: BTreeSet<ReplicaId>) {
        self.lock().others.insert(server.to_owned(), Other { moment, busy, at: Instant::now() });
    }

    /// Tells whether no other router sends a replica that leaves any requests, or waits for its answers.
    #[must_use]
    pub fn have_let_go(&self, id: ReplicaId) -> bool {
        let known = self.lock();
        let Some(left) = known.left.get(&id) else { return true };
        let lets_go = |other: &Other| other.moment >= *left && !other.busy.contains(&id);
        known.others.values().all(|other| other.at.elapsed() >= SILENCE || lets_go(other))
    }

    /// Forgets replicas that exist no more.
    pub fn keep(&self, existing: &BTreeSet<ReplicaId>) {
        self.lock().left.retain(|id, _| existing.contains(id));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_let_go_when_all_that_are_heard_of_have_a_table_without_it_and_no_request_there() {
        let (routers, id) = (Routers::default(), ReplicaId::new());
        routers.hear("b", 6, BTreeSet::new());
        routers.begin(7);
        routers.leave(id);
        routers.begin(8);
        routers.leave(id);
        assert!(!routers.have_let_go(id), "it may still be in the table of moment 6");
        routers.hear("b", 7, BTreeSet::from([id]));
        assert!(!routers.have_let_go(id), "a request is unanswered");
        routers.hear("b", 7, BTreeSet::new());
        assert!(routers.have_let_go(id));
        routers.hear("c", 3, BTreeSet::new());
        assert!(!routers.have_let_go(id), "a third one does not know yet");
    }
}
