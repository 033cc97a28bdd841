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

/// The most that is kept of what could not be written down; of more than that the oldest is in the server's log only.
const UNWRITTEN_MAX: usize = 1_000;

/// Runs until it is told to stop. Cutting a turn short is safe: the next one looks again.
pub(crate) async fn run(platform: Arc<Platform>, connected: Arc<Connected>, stop: CancellationToken) {
    let Connected { balancers, cluster, .. } = &*connected;
    let Some(witness) = platform.facts.witness().cloned() else { return stop.cancelled().await };
    let turns = async {
        let mut hands = Hands::new(&platform, balancers, cluster);
        let mut news = News::default();
        loop {
            let rest = match witness.wanted() {
                Some(wanted) if platform.leadership.term() == Some(hands.term) => {
                    let (leads, term) = (platform.clone(), hands.term);
                    let may = move || leads.leadership.term() == Some(term);
                    let outcome = hands.entrance.turn(&wanted, Timestamp::now(), &may).await;
                    let next = outcome.next;
                    news.tell(&platform, &outcome.alarms, &outcome.events).await;
                    if witness.take(outcome) {
                        platform.facts.wake();
                        platform.changed();
                    }
                    next
                }
                // What another one did meanwhile is looked at afresh.
                _ => {
                    hands = Hands::new(&platform, balancers, cluster);
                    news.last.clear();
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
}

impl Hands {
    fn new(platform: &Platform, balancers: &Arc<dyn Balancers>, cluster: &str) -> Self {
        let entrance = Entrance::new(Arc::clone(balancers), cluster, Limits::default());
        Self { term: platform.leadership.term().unwrap_or(0), entrance }
    }
}

/// What people should know, each thing once.
#[derive(Default)]
struct News {
    /// The alarms that last.
    last: BTreeSet<(String, String)>,
    /// What waits for the database, or for this server to lead again.
    unwritten: Vec<FleetEvent>,
}

impl News {
    /// Tells what happened, and what is not as it should be, once for as long as it lasts.
    async fn tell(&mut self, platform: &Platform, alarms: &[Notice], events: &[Notice]) {
        let new = self.begun(alarms);
        for Notice { about, says } in &new {
            warn!(about, "{says}");
        }
        for Notice { about, says } in events {
            info!(about, "{says}");
        }
        self.add(
            new.into_iter().chain(events.iter().cloned()).map(|notice| event(&notice.about, &notice.says)),
        );
        match write(platform, &self.unwritten).await {
            Ok(true) => self.unwritten.clear(),
            Ok(false) => {}
            Err(error) => {
                let says = "what happened at the load balancers is not written down yet";
                warn!(error = format!("{error:#}"), "{says}");
            }
        }
    }

    /// Returns those of these alarms that were none before.
    fn begun(&mut self, alarms: &[Notice]) -> Vec<Notice> {
        let key = |notice: &Notice| (notice.about.clone(), notice.says.clone());
        let before = std::mem::replace(&mut self.last, alarms.iter().map(key).collect());
        alarms.iter().filter(|alarm| !before.contains(&key(alarm))).cloned().collect()
    }

    /// Keeps more until it is written down.
    fn add(&mut self, more: impl Iterator<Item = FleetEvent>) {
        self.unwritten.extend(more);
        self.unwritten.drain(..self.unwritten.len().saturating_sub(UNWRITTEN_MAX));
    }
}

/// Returns what people should know as of now.
pub(super) fn event(about: &str, says: &str) -> FleetEvent {
    FleetEvent { at: Timestamp::now(), about: about.to_owned(), message: wording::plain(says, 500) }
}

/// Writes down what people should know, if this server leads; returns whether it does.
pub(super) async fn write(platform: &Platform, events: &[FleetEvent]) -> anyhow::Result<bool> {
    if events.is_empty() {
        return Ok(true);
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
    for event in events {
        store::add_fleet_event(&mut tx, event).await?;
    }
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(says: &[usize]) -> Vec<Notice> {
        says.iter().map(|says| Notice { about: "shop".to_owned(), says: says.to_string() }).collect()
    }

    #[test]
    fn an_alarm_is_told_once_for_as_long_as_it_lasts() {
        let mut news = News::default();
        assert_eq!(news.begun(&notices(&[1, 2])), notices(&[1, 2]));
        assert_eq!(news.begun(&notices(&[2, 3])), notices(&[3]));
        assert_eq!(news.begun(&notices(&[1, 2])), notices(&[1]));
    }

    #[test]
    fn what_could_not_be_written_down_is_kept_but_not_without_end() {
        let mut news = News::default();
        let events = |says: &[usize]| -> Vec<FleetEvent> {
            let event =
                |says: &usize| FleetEvent { at: Timestamp::UNIX_EPOCH, ..event("shop", &says.to_string()) };
            says.iter().map(event).collect()
        };
        news.add(events(&[1]).into_iter());
        news.add(events(&[2]).into_iter());
        assert_eq!(news.unwritten, events(&[1, 2]));
        news.add(events(&(3..=UNWRITTEN_MAX + 2).collect::<Vec<_>>()).into_iter());
        assert_eq!((news.unwritten.len(), &news.unwritten[..1]), (UNWRITTEN_MAX, &events(&[3])[..]));
    }
}
