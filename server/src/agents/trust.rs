//! What a host is believed: it may speak of apps of which it has a replica, or had one lately, and of no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::id::{AppId, HostId};
use store::Host;
use tracing::warn;

use super::refusal::Refusal;
use crate::platform::Platform;

/// How long it is not asked again whether a host has an app: what it had a minute ago it had lately.
const FRESH: Duration = Duration::from_secs(60);

/// How often it is said at most that a host was not believed.
const TELL: Duration = Duration::from_secs(60);

/// Pairs that are known at a time, and more only while they are all fresh.
const KNOWN: usize = 10_000;

/// Which hosts were found to have which apps, and which were not believed.
#[derive(Default)]
pub(super) struct Trust(Mutex<Known>);

#[derive(Default)]
struct Known {
    has: BTreeMap<(HostId, AppId), Instant>,
    told: BTreeMap<HostId, Instant>,
}

impl Trust {
    /// Returns those of the apps of which the host is not to be believed, and says so in the server's log. After a restore that
    /// is known only when the host has said what runs there.
    pub(super) async fn refused(
        &self,
        platform: &Platform,
        host: &Host,
        mut apps: BTreeSet<AppId>,
    ) -> Result<BTreeSet<AppId>, Refusal> {
        apps.retain(|app| !self.lock().has(host.id, *app));
        if apps.is_empty() {
            return Ok(apps);
        }
        let mut db = platform.store.read().await?;
        // Asked first: what a host said is in the database before this is not to be said any more.
        let is_heard = !store::hosts_to_recount(&mut db).await?.contains(&host.id);
        let mut refused = BTreeSet::new();
        for app in apps {
            match store::has_run(&mut db, host.id, app).await? {
                true => self.lock().note(host.id, app),
                false => drop(refused.insert(app)),
            }
        }
        if !refused.is_empty() && !is_heard {
            return Err(Refusal::later(
                "what runs on this host is not known yet; its logs are taken after that",
            ));
        }
        if let Some(app) = refused.first()
            && self.lock().is_to_be_told(host.id)
        {
            warn!(
                host.id = %host.id,
                app.id = %app,
                "host {} brings lines of an app of which it has no replica and had none lately; they are refused",
                host.name
            );
        }
        Ok(refused)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn has(&self, host: HostId, app: AppId) -> bool {
        self.has.get(&(host, app)).is_some_and(|at| at.elapsed() < FRESH)
    }

    fn note(&mut self, host: HostId, app: AppId) {
        if self.has.len() >= KNOWN {
            self.has.retain(|_, at| at.elapsed() < FRESH);
        }
        self.has.insert((host, app), Instant::now());
    }

    fn is_to_be_told(&mut self, host: HostId) -> bool {
        self.told.retain(|_, at| at.elapsed() < TELL);
        let is_new = !self.told.contains_key(&host);
        self.told.entry(host).or_insert_with(Instant::now);
        is_new
    }
}
