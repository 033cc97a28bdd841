//! What the hosts saw, with times, for whoever measures.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::replica::ReplicaSpec;

/// A replica was wished for, for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) app: String,
    pub(crate) release: u64,
    pub(crate) number: u32,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    arrivals: Mutex<Vec<Arrival>>,
    reports: Mutex<Vec<Duration>>,
}

impl Journal {
    pub(crate) fn arrived(&self, spec: &ReplicaSpec) {
        let arrival = Arrival {
            at: Instant::now(),
            app: spec.app_name.to_string(),
            release: spec.release.0,
            number: spec.number,
        };
        lock(&self.arrivals).push(arrival);
    }

    /// Notes how long it took to be answered to a report.
    pub(crate) fn answered(&self, took: Duration) {
        lock(&self.reports).push(took);
    }

    /// Returns when a replica was first wished for.
    pub(crate) fn arrival(&self, app: &str, release: u64, number: u32) -> Option<Instant> {
        let is_it = |arrival: &&Arrival| {
            (arrival.app.as_str(), arrival.release, arrival.number) == (app, release, number)
        };
        lock(&self.arrivals).iter().rfind(is_it).map(|arrival| arrival.at)
    }

    /// Returns how long answers to reports took since this was asked before.
    pub(crate) fn take_answered(&self) -> Vec<Duration> {
        std::mem::take(&mut lock(&self.reports))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
