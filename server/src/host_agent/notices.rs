//! Asks the metadata service all the time whether this instance is taken back: a spot instance has two minutes from then on.

use std::time::Duration;

use fleet::{Metadata, MetadataUrl, Notice};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often it is asked, as AWS recommends.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps what was heard current until it is told to stop. A service that does not answer takes nothing back.
pub(super) async fn listen(url: MetadataUrl, heard: watch::Sender<Option<Notice>>, stop: CancellationToken) {
    let metadata = Metadata::at(url);
    let listening = async {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match metadata.notice().await {
                Ok(Some(notice)) => tell(&heard, notice),
                Ok(None) => {}
                Err(error) => debug!(%error, "it is not known whether this instance is taken back"),
            }
        }
    };
    stop.run_until_cancelled(listening).await;
}

/// What was said once is not taken back: its replicas may be on their way elsewhere.
fn tell(heard: &watch::Sender<Option<Notice>>, notice: Notice) {
    let is_news = heard.send_if_modified(|known| {
        let is_news = notice.is_news_after(*known);
        if is_news {
            *known = Some(notice);
        }
        is_news
    });
    if is_news {
        warn!("this is an instance, and {notice}");
    }
}
