//! The builds that this process runs: one per app, so many in all. An app's place is kept until its push is settled,
//! so that two pushes are never interleaved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use build::BuildLog;
use model::id::{AppId, BuildId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;

/// The builds that run, and who waits for them.
pub struct BuildRoom {
    /// Wakes the queue.
    pub wake: Notify,
    /// Since when this process queues builds.
    pub(super) opened_at: SystemTime,
    slots: Arc<Semaphore>,
    running: Mutex<BTreeMap<AppId, Running>>,
    logs: Mutex<BTreeMap<BuildId, BuildLog>>,
}

/// An app's place; dropped, it is free again, and the queue looks.
pub(crate) struct Place {
    platform: Arc<Platform>,
    app: AppId,
    build: BuildId,
    /// Ends the build that has the place.
    pub(super) cancel: CancellationToken,
    /// Cancelled once the branch is where the push leaves it.
    pub(super) settled: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        let room = &self.platform.builds;
        lock(&room.running).remove(&self.app);
        lock(&room.logs).remove(&self.build);
        self.settled.cancel();
        room.wake.notify_one();
    }
}

struct Running {
    build: BuildId,
    cancel: CancellationToken,
    settled: CancellationToken,
}

impl BuildRoom {
    /// Makes room for so many builds at once.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            wake: Notify::new(),
            opened_at: SystemTime::now(),
            slots: Arc::new(Semaphore::new(slots)),
            running: Mutex::default(),
            logs: Mutex::default(),
        }
    }

    /// Takes an app's place for a build; none while another build of the app has it.
    pub(crate) fn enter(platform: &Arc<Platform>, app: AppId, build: BuildId) -> Option<Place> {
        let mut running = lock(&platform.builds.running);
        if running.contains_key(&app) {
            return None;
        }
        let (cancel, settled) = (CancellationToken::new(), CancellationToken::new());
        running.insert(app, Running { build, cancel: cancel.clone(), settled: settled.clone() });
        Some(Place { platform: platform.clone(), app, build, cancel, settled })
    }

    /// Tells whether this process runs the build.
    pub(super) fn runs(&self, build: BuildId) -> bool {
        lock(&self.running).values().any(|running| running.build == build)
    }

    /// Notes the log that a build writes.
    pub(super) fn writes(&self, build: BuildId, log: BuildLog) {
        lock(&self.logs).insert(build, log);
    }

    /// Returns the log of a build that runs.
    pub(super) fn log(&self, build: BuildId) -> Option<BuildLog> {
        lock(&self.logs).get(&build).cloned()
    }

    /// Waits for a slot among all builds.
    pub(super) async fn slot(&self) -> OwnedSemaphorePermit {
        self.slots.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Returns the build that has the app's place.
    #[must_use]
    pub fn in_the_way(&self, app: AppId) -> Option<BuildId> {
        lock(&self.running).get(&app).map(|running| running.build)
    }

    /// Ends a build if this process runs it.
    pub fn cancel(&self, build: BuildId) {
        for running in lock(&self.running).values().filter(|running| running.build == build) {
            running.cancel.cancel();
        }
    }

    /// Ends the app's build if there is one.
    pub fn cancel_of(&self, app: AppId) {
        if let Some(running) = lock(&self.running).get(&app) {
            running.cancel.cancel();
        }
    }

    /// Waits until the branch is where the push of a build leaves it, if this process sees to that. Returns whether it does.
    pub async fn settled(&self, build: BuildId) -> bool {
        let settled = lock(&self.running)
            .values()
            .find(|running| running.build == build)
            .map(|running| running.settled.clone());
        match settled {
            Some(settled) => {
                settled.cancelled().await;
                true
            }
            None => false,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
