//! Asks the metadata service all the time whether this instance is taken back: a spot instance has two minutes from then on.

use std::time::Duration;

use fleet::{Metadata, MetadataUrl, Told};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often it is asked, as AWS recommends.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps what was heard current until it is told to stop. A service that does not answer takes nothing back.
pub(super) async fn listen(url: MetadataUrl, heard: watch::Sender<Told>, stop: CancellationToken) {
    let metadata = Metadata::at(url);
    let listening = async {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match metadata.told().await {
                Ok(told) => {
                    if heard.send_if_modified(|known| known.take(told)) && !told.is_nothing() {
                        warn!("of this host: {}", *heard.borrow());
                    }
                }
                Err(error) => debug!(%error, "it is not known whether this instance is taken back"),
            }
        }
    };
    stop.run_until_cancelled(listening).await;
}
