//! What other servers of the same database write wakes who waits here, as what this one writes does.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::platform::Platform;

/// How long it rests while the database is away; loops look by themselves meanwhile.
const AWAY: Duration = Duration::from_secs(1);

/// Listens until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let Some(mut news) = platform.store.news() else {
        stop.cancelled().await;
        return;
    };
    let listening = async {
        let mut is_away = false;
        loop {
            match news.next().await {
                Ok(()) => {
                    if std::mem::take(&mut is_away) {
                        info!("the database answers again");
                    }
                    platform.wished();
                    platform.builds.wake.notify_one();
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        warn!(
                            error = format!("{:#}", anyhow::Error::from(error)),
                            "nothing is heard of other servers"
                        );
                    }
                    tokio::time::sleep(AWAY).await;
                }
            }
        }
    };
    stop.run_until_cancelled(listening).await;
}
