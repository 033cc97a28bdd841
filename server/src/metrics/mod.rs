//! What apps and their replicas do: counted as it happens, sampled every ten seconds, a row per app and minute in the
//! store. What was not written yet is in memory only, so that a `kill -9` costs the last minute, which is told then.

mod counters;
mod exposition;
mod minutes;
mod recorder;
mod sampler;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use model::id::AppId;
use model::metrics::{MinuteOf, Traffic};
use tokio::sync::{RwLock, RwLockReadGuard};

pub use counters::Counters;
pub(crate) use exposition::{Exposition, Kind};
pub(crate) use minutes::unheard;
pub use minutes::{keep_own, take};
use recorder::{Observed, Recorder};
pub use sampler::{expire, run, sample_now};

/// What is counted and not written yet.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Mutex<BTreeMap<AppId, Arc<Counters>>>,
    recorder: Mutex<Recorder>,
    /// Held while what waits is written and forgotten.
    writing: RwLock<()>,
}

impl Metrics {
    /// Returns the counters of an app, the same as long as somebody counts with them.
    #[must_use]
    pub fn counters(&self, app: AppId) -> Arc<Counters> {
        Arc::clone(lock(&self.counters).entry(app).or_default())
    }

    /// Returns what was counted of each app since this server started.
    #[must_use]
    pub fn totals(&self) -> Vec<(AppId, Traffic)> {
        lock(&self.counters).iter().map(|(app, counters)| (*app, counters.total())).collect()
    }

    /// Lets nothing move from memory to the store while both are read, so that all of it is counted once.
    pub async fn hold_still(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().await
    }

    /// Returns what is not written yet of an app.
    #[must_use]
    pub fn pending(&self, app: AppId) -> Vec<MinuteOf> {
        lock(&self.recorder).pending(app)
    }

    /// Returns how many requests of each app are not written yet.
    #[must_use]
    pub fn pending_requests(&self) -> BTreeMap<AppId, u64> {
        lock(&self.recorder).pending_requests()
    }

    /// Takes note of what is seen at the end of a period, and forgets the counters of apps that are no more.
    fn note(&self, period: u64, observed: Observed) {
        lock(&self.recorder).note(period, observed);
        lock(&self.counters).retain(|_, counters| Arc::strong_count(counters) > 1);
    }
}

/// Returns the minute of a time, counted from 1970.
pub(crate) fn minute_of(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or_default() / 60
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
