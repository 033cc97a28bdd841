//! Brings what was measured here to a server, any of them: which minutes are there already the database says, so that neither a
//! crash here nor one there leaves a hole or brings a minute twice.

use std::sync::Arc;
use std::time::Duration;

use agent::Minutes;
use fleet::{Link, MinutesTaken};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Most bytes in one request; the server takes 16 MiB.
const MOST: usize = 1 << 20;

/// How long to wait after a server took nothing: one that is away, or an older one that does not know how.
const PAUSE: Duration = Duration::from_secs(2);

/// Ships minutes that are over, over these lines, each to one server, until it is told to stop.
pub(super) async fn run(minutes: Arc<Minutes>, links: Vec<Arc<Link>>, stop: CancellationToken) {
    let mut under_way = minutes.under_way();
    let shipping = async {
        let mut failing = false;
        for link in links.iter().cycle() {
            loop {
                let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default() / 60;
                let waiting = fleet::Minutes { minutes: minutes.before(now, MOST) };
                if waiting.minutes.is_empty() {
                    if under_way.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                    continue;
                }
                match link.ask::<MinutesTaken>("/agent/minutes", &waiting, Duration::ZERO).await {
                    Ok(taken) => {
                        minutes.settle(taken.upto);
                        if std::mem::take(&mut failing) {
                            info!("what was measured is sent again");
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            warn!(%error, "what was measured waits on this host");
                        }
                        sleep(PAUSE).await;
                        break;
                    }
                }
            }
        }
    };
    stop.run_until_cancelled(shipping).await;
}
