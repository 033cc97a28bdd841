//! Removes what the past has left and nobody needs: slugs beyond the reach of a rollback, the output of old builds, caches
//! that have grown too large. What may go is decided by `model::keep`; here it is looked up and carried out.
//!
//! Each step looks at what is there, so that one that was cut off is made up for by the next.

mod caches;
mod freed;
mod history;
mod images;
mod preview;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics;
use crate::platform::Platform;

pub(crate) use caches::{bound_cache, forgettable_images, make_room};
pub(crate) use freed::Freed;
pub(crate) use preview::{Known, preview};

/// How often it looks without being woken.
const PERIOD: Duration = Duration::from_secs(600);

/// How soon it looks again at what it could not do.
const AGAIN: Duration = Duration::from_secs(60);

/// How long it rests at least, however many releases are made.
const REST: Duration = Duration::from_secs(1);

/// How often it looks for images that no slug speaks of: only a server that died leaves any.
const STRAYS: Duration = Duration::from_secs(3600);

/// Collects until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let turns = async {
        let mut strays_at: Option<Instant> = None;
        loop {
            platform.leadership.led().await;
            let strays = strays_at.is_none_or(|at| at.elapsed() >= STRAYS);
            let collected = collect(&platform, strays).await;
            if collected.is_ok() && strays {
                strays_at = Some(Instant::now());
            }
            if let Err(error) = &collected {
                warn!(error = format!("{error:#}"), "the collection will try again");
            }
            tokio::time::sleep(REST).await;
            let period = if collected.is_ok() { PERIOD } else { AGAIN };
            let _ = tokio::time::timeout(period, platform.signals.collect.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

/// Removes what can go now, in steps none of which depends on another.
pub(crate) async fn collect(platform: &Platform, strays: bool) -> anyhow::Result<Freed> {
    let mut freed = Freed::default();
    let slugs = images::collect(platform, &mut freed).await;
    let lost = if strays { images::collect_strays(platform, &mut freed).await } else { Ok(()) };
    let steps = if strays { caches::forget_images(platform).await } else { Ok(()) };
    let history = history::trim(platform, &mut freed).await;
    let metrics = metrics::expire(platform).await;
    if freed != Freed::default() {
        info!("collected {freed}");
    }
    slugs.and(lost).and(steps).and(history).and(metrics).map(|()| freed)
}
