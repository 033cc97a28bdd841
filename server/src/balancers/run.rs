//! Takes the turns of the entrance, as long as this server leads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloud::entrance::{Balancers, Entrance, Notice};
use jiff::Timestamp;
use model::entrance::Limits;
use model::wording;
use store::FleetEvent;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Connected;
use crate::platform::Platform;

/// Not more often than this is a turn taken, whatever happens.
const BREATH: Duration = Duration::from_secs(1);

/// Runs until it is told to stop. Cutting a turn short is safe: the next one looks again.
pub(crate) async fn run(platform: Arc<Platform>, connected: Arc<Connected>, stop: CancellationToken) {
    let Connected { balancers, cluster, .. } = &*connected;
    let Some(witness) = platform.facts.witness().cloned() else { return stop.cancelled().await };
    let turns = async {
        let mut hands = Hands::new(&platform, balancers, cluster);
        loop {
            let rest = match witness.wanted() {
                Some(wanted) if platform.leadership.term() == Some(hands.term) => {
                    let (leads, term) = (platform.clone(), hands.term);
                    let may = move || leads.leadership.term() == Some(term);
                    let outcome = hands.entrance.turn(&wanted, Timestamp::now(), &may).await;
                    let next = outcome.next;
                    hands.tell(&platform, &outcome.alarms, &outcome.events).await;
                    if witness.take(outcome) {
                        platform.facts.wake();
                        platform.changed();
                    }
                    next
                }
                // What another one did meanwhile is looked at afresh.
                _ => {
                    hands = Hands::new(&platform, balancers, cluster);
                    BREATH
                }
            };
            tokio::time::sleep(BREATH).await;
            let more = rest.saturating_sub(BREATH);
            let _ = tokio::time::timeout(more, witness.wish.notified()).await;
        }
    };
    stop.run_until_cancelled(turns).await;
}

/// The hands of one term.
struct Hands {
    term: u64,
    entrance: Entrance,
    told: BTreeSet<(String, String)>,
}

impl Hands {
    fn new(platform: &Platform, balancers: &Arc<dyn Balancers>, cluster: &str) -> Self {
        let entrance = Entrance::new(Arc::clone(balancers), cluster, Limits::default());
        Self { term: platform.leadership.term().unwrap_or(0), entrance, told: BTreeSet::new() }
    }

    /// Tells what happened, and what is not as it should be, once for as long as it lasts.
    async fn tell(&mut self, platform: &Platform, alarms: &[Notice], events: &[Notice]) {
        let key = |notice: &Notice| (notice.about.clone(), notice.says.clone());
        let new: Vec<&Notice> = alarms.iter().filter(|alarm| !self.told.contains(&key(alarm))).collect();
        for Notice { about, says } in &new {
            warn!(about, "{says}");
        }
        for Notice { about, says } in events {
            info!(about, "{says}");
        }
        let news: Vec<Notice> = new.into_iter().chain(events).cloned().collect();
        if let Err(error) = write(platform, &news).await {
            warn!(error = format!("{error:#}"), "what happened at the load balancers is not written down");
        }
        self.told = alarms.iter().map(key).collect();
    }
}

/// Writes down what people should know, if this server leads.
pub(super) async fn write(platform: &Platform, notices: &[Notice]) -> anyhow::Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    for Notice { about, says } in notices {
        let message = wording::plain(says, 500);
        let event = FleetEvent { at: Timestamp::now(), about: about.clone(), message };
        store::add_fleet_event(&mut tx, &event).await?;
    }
    tx.commit().await?;
    Ok(())
}
