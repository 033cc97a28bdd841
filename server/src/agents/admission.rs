//! Whether a caller is one of the platform's hosts: its certificate says which one it claims to be, the database whether
//! it still is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use fleet::{Bearer, Subject};
use model::id::HostId;
use store::Host;

use super::refusal::Refusal;
use crate::platform::Platform;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) from: IpAddr,
    pub(super) bearer: Option<Bearer>,
}

/// The hosts that were let in last, for as long as the database does not answer.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<HostId, Host>>);

/// Returns the host that calls.
pub(super) async fn admit(platform: &Platform, caller: &Caller) -> Result<Host, Refusal> {
    let bearer = caller.bearer.as_ref();
    if bearer.is_some_and(Bearer::has_expired) {
        let sentence = "the host's certificate has expired; the agent renews it by itself";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, sentence));
    }
    admit_late(platform, caller).await
}

/// Returns the host that calls, also when its certificate has expired: it may still ask for a fresh one.
pub(super) async fn admit_late(platform: &Platform, caller: &Caller) -> Result<Host, Refusal> {
    let Some(Bearer { subject: Subject::Host(id), key, .. }) = &caller.bearer else {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "no certificate of a host was shown"));
    };
    let found = find(platform, *id).await?;
    match found {
        Some(host) if host.key_fingerprint.as_ref() == Some(key) => Ok(host),
        _ => {
            platform.facts.forget(*id);
            platform.signals.reconcile.notify_one();
            Err(Refusal::forbidden(format!(
                "this machine is no host of the platform any more: host {id} was removed; a new join token lets it join again"
            )))
        }
    }
}

async fn find(platform: &Platform, id: HostId) -> Result<Option<Host>, Refusal> {
    let read = async {
        let mut db = platform.store.read().await?;
        store::find_host(&mut db, id).await
    };
    let known = || platform.agents.known.0.lock().unwrap_or_else(PoisonError::into_inner);
    match read.await {
        Ok(found) => {
            match &found {
                Some(host) => drop(known().insert(id, host.clone())),
                None => drop(known().remove(&id)),
            }
            Ok(found)
        }
        // A database that is away for a moment must not make hosts look dead.
        Err(error) => match known().get(&id).cloned() {
            Some(host) => Ok(Some(host)),
            None => Err(error.into()),
        },
    }
}
