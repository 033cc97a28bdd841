//! Looks at the database beside the servers.

use store::{Leadership, Store};
use tokio::runtime::Runtime;

use crate::wait;

/// A connection of the test's own.
pub(crate) struct Eyes {
    runtime: Runtime,
    store: Store,
}

impl Eyes {
    pub(crate) fn open(url: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(Store::open_url(&url.parse().unwrap())).unwrap();
        Self { runtime, store }
    }

    /// Returns who leads; nothing while the database is away.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        self.runtime
            .block_on(async { store::find_leadership(&mut *self.store.read().await.ok()?).await.ok() })
    }

    /// Waits until somebody leads, and returns the name of that server.
    pub(crate) fn leader(&self) -> String {
        let owner = wait::until("somebody to lead", || self.leadership()?.owner);
        owner.split('/').next().unwrap().to_owned()
    }

    /// Waits until a later term than this, and returns that.
    pub(crate) fn next_term(&self, term: u64) -> u64 {
        wait::until("another to lead", || Some(self.leadership()?.term).filter(|next| *next > term))
    }
}
