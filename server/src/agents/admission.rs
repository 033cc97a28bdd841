//! Whether a caller is one of the platform's hosts: its certificate says which one it claims to be, the database whether
//! it still is. Hosts call all the time, so that what the reconcile loop read of them moments ago is not read again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use fleet::{Bearer, Subject};
use model::id::HostId;
use store::Host;

use super::refusal::Refusal;
use crate::platform::Platform;

/// How long what was read counts. Whatever is written wakes the loop, which reads it again; this bounds what another
/// server's removal of a host may take if that was not heard of.
const FRESH: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) from: IpAddr,
    pub(super) bearer: Option<Bearer>,
}

/// The hosts as they were read last, also for as long as the database does not answer.
#[derive(Default)]
pub(super) struct Known(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// When all of them were.
    at: Option<Instant>,
    hosts: BTreeMap<HostId, Arc<Host>>,
    /// Those that were removed here: what was read just before says nothing of them.
    removed: BTreeSet<HostId>,
}

impl Known {
    /// Takes note of all hosts, as they are now.
    pub(super) fn all(&self, hosts: &[Host]) {
        let hosts = hosts.iter().map(|host| (host.id, Arc::new(host.clone()))).collect();
        let mut seen = self.lock();
        (seen.at, seen.hosts) = (Some(Instant::now()), hosts);
    }

    /// Takes note that nothing has changed.
    pub(super) fn unchanged(&self) {
        self.lock().at = Some(Instant::now());
    }

    /// Takes note that a host is one no more.
    pub(super) fn remove(&self, id: HostId) {
        let mut seen = self.lock();
        seen.hosts.remove(&id);
        seen.removed.insert(id);
    }

    fn note(&self, id: HostId, host: Option<&Arc<Host>>) {
        let mut seen = self.lock();
        match host {
            Some(host) => drop(seen.hosts.insert(id, Arc::clone(host))),
            None => drop(seen.hosts.remove(&id)),
        }
    }

    fn last(&self, id: HostId) -> Option<Arc<Host>> {
        self.lock().hosts.get(&id).cloned()
    }

    /// Returns a host that was read moments ago.
    fn fresh(&self, id: HostId) -> Option<Arc<Host>> {
        let seen = self.lock();
        let is_fresh = seen.at.is_some_and(|at| at.elapsed() < FRESH) && !seen.removed.contains(&id);
        seen.hosts.get(&id).filter(|_| is_fresh).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the host that calls.
pub(super) async fn admit(platform: &Platform, caller: &Caller) -> Result<Arc<Host>, Refusal> {
    let bearer = caller.bearer.as_ref();
    if bearer.is_some_and(Bearer::has_expired) {
        let sentence = "the host's certificate has expired; the agent renews it by itself";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, sentence));
    }
    let claim = claim(caller)?;
    match platform.agents.known.fresh(claim.0) {
        Some(host) if host.key_fingerprint.as_ref() == Some(claim.1) => Ok(host),
        _ => prove(platform, claim).await,
    }
}

/// Returns the host that calls, also when its certificate has expired: it may still ask for a fresh one.
pub(super) async fn admit_late(platform: &Platform, caller: &Caller) -> Result<Arc<Host>, Refusal> {
    prove(platform, claim(caller)?).await
}

/// Returns which host a caller claims to be, and with which key.
fn claim(caller: &Caller) -> Result<(HostId, &String), Refusal> {
    match &caller.bearer {
        Some(Bearer { subject: Subject::Host(id), key, .. }) => Ok((*id, key)),
        _ => Err(Refusal::new(StatusCode::UNAUTHORIZED, "no certificate of a host was shown")),
    }
}

async fn prove(platform: &Platform, (id, key): (HostId, &String)) -> Result<Arc<Host>, Refusal> {
    match find(platform, id).await? {
        Some(host) if host.key_fingerprint.as_ref() == Some(key) => Ok(host),
        _ => {
            platform.facts.forget(id);
            platform.signals.reconcile.notify_one();
            let mut db = platform.store.read().await?;
            Err(if store::knows_host(&mut db, id).await? { removed(id) } else { unheard_of(id) })
        }
    }
}

fn removed(id: HostId) -> Refusal {
    Refusal::forbidden(format!(
        "this machine is no host of the platform any more: host {id} was removed; a new join token lets it join again"
    ))
}

/// Its certificate is the platform's, so it joined after the backup that the database was restored from, which may have been
/// the wrong one: nothing there is to end for that.
fn unheard_of(id: HostId) -> Refusal {
    let sentence = format!(
        "the platform does not know host {id}, which joined after the backup that it was restored from; it goes on with what it \
         runs. To have it back, end it (paasd stop), remove `identity` from its data directory, and start it with a new join token"
    );
    Refusal::new(StatusCode::NOT_FOUND, sentence)
}

async fn find(platform: &Platform, id: HostId) -> Result<Option<Arc<Host>>, Refusal> {
    let known = &platform.agents.known;
    let read = async {
        let mut db = platform.store.read().await?;
        store::find_host(&mut db, id).await
    };
    match read.await {
        Ok(found) => {
            let found = found.map(Arc::new);
            known.note(id, found.as_ref());
            Ok(found)
        }
        // A database that is away for a moment must not make hosts look dead.
        Err(error) => known.last(id).map(Some).ok_or_else(|| error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use store::{HostFacts, HostState};

    fn host() -> Host {
        Host {
            id: HostId::new(),
            name: "one".to_owned(),
            zone: "a".to_owned(),
            state: HostState::Ready,
            state_reason: None,
            state_since: Timestamp::UNIX_EPOCH,
            state_before: None,
            facts: HostFacts::default(),
            key_fingerprint: Some("key".to_owned()),
            last_seen_at: None,
            drill: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_host_that_was_removed_is_asked_for_again_although_it_was_read_a_moment_before() {
        let (known, host) = (Known::default(), host());
        known.all(std::slice::from_ref(&host));
        assert_eq!(known.fresh(host.id).as_deref(), Some(&host));
        known.remove(host.id);
        known.all(std::slice::from_ref(&host));
        assert_eq!(known.fresh(host.id), None);
    }

    #[test]
    fn what_one_host_was_found_to_be_says_nothing_of_when_all_were_read() {
        let (known, host) = (Known::default(), Arc::new(host()));
        known.note(host.id, Some(&host));
        assert_eq!(known.fresh(host.id), None);
        assert_eq!(known.last(host.id), Some(host), "for a database that is away");
    }
}
