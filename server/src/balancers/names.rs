//! Keeps the names in DNS that lead to the load balancers, as long as this server leads and if it was told where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud::entrance::{Kept, Listed, NamesWish, Refused};
use model::wording;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::run::{event, write};
use super::{Connected, Witness};
use crate::platform::Platform;

/// How often it is looked whether others are wanted.
const BREATH: Duration = Duration::from_secs(2);

/// How often it is looked whether they are as they should be, while nothing changes.
const QUIET: Duration = Duration::from_secs(300);

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// How long one turn may take. Each call has a limit of its own.
const TURN: Duration = Duration::from_secs(120);

/// How long a balancer must be missing until it is taken for gone.
const DOUBT: Duration = Duration::from_secs(600);

/// How many turns in a row must come to nothing until that is told.
const PATIENCE: u32 = 4;

/// What people are told about.
const ABOUT: &str = "names in DNS";

/// Runs until it is told to stop. Cutting a turn short is safe: the next one looks again.
pub(crate) async fn run(platform: Arc<Platform>, connected: Arc<Connected>, stop: CancellationToken) {
    let Some(witness) = platform.facts.witness().cloned() else { return stop.cancelled().await };
    let keeping = async {
        let mut last = Last::default();
        loop {
            let term = platform.leadership.term();
            if term != last.term {
                // What another one did meanwhile is looked at afresh.
                last = Last { term, ..Last::default() };
            }
            let wish = wish(&platform, &witness).filter(|_| term.is_some());
            let wish = wish.map(|wish| last.believe(wish, Instant::now()));
            if let Some(wish) = wish.filter(|wish| last.is_due(wish)) {
                let leads = platform.clone();
                let may = move || leads.leadership.term() == term;
                let turn = tokio::time::timeout(TURN, connected.names.keep_names(&wish, &may)).await;
                let late = || {
                    Err(Refused { says: "Route 53 does not answer".to_owned(), unknown: false, clear: false })
                };
                let news = last.take(wish, turn.unwrap_or_else(|_| late()));
                tell(&platform, news).await;
            }
            tokio::time::sleep(BREATH).await;
        }
    };
    stop.run_until_cancelled(keeping).await;
}

/// Returns what is wanted; nothing if this server does not decide, or has not seen any balancer yet.
fn wish(platform: &Platform, witness: &Witness) -> Option<NamesWish> {
    let wanted = witness.wanted()?;
    let balancers = witness.balancers().filter(|balancers| !balancers.is_empty())?;
    let apps = wanted.apps.iter().map(|shown| (shown.hosts.clone(), witness.address(shown.view.id)));
    Some(NamesWish {
        domain: platform.options.domain.parse().ok()?,
        control: platform.options.api_host.clone(),
        balancers,
        apps: apps.collect(),
    })
}

/// What came of the turn before.
#[derive(Default)]
struct Last {
    term: Option<u64>,
    wish: Option<NamesWish>,
    /// The balancers as they are believed to be, and since when some of them are missing.
    balancers: Vec<Listed>,
    missing: Option<Instant>,
    due: Option<Instant>,
    /// How many turns in a row came to nothing.
    failed: u32,
    told: BTreeSet<String>,
}

impl Last {
    /// Returns a wish with the balancers that are believed to be there: one that is not listed any more is missed for a while before
    /// names leave it, since lists may lie. A new one is there at once.
    fn believe(&mut self, wish: NamesWish, now: Instant) -> NamesWish {
        let listed = |name: &str| wish.balancers.iter().find(|one| one.name == name);
        if self.balancers.iter().all(|known| listed(&known.name).is_some()) {
            self.missing = None;
        } else if now.duration_since(*self.missing.get_or_insert(now)) >= DOUBT {
            self.balancers.retain(|known| listed(&known.name).is_some());
        }
        for known in &mut self.balancers {
            *known = listed(&known.name).unwrap_or(known).clone();
        }
        for one in &wish.balancers {
            if self.balancers.iter().all(|known| known.name != one.name) {
                self.balancers.push(one.clone());
            }
        }
        NamesWish { balancers: self.balancers.clone(), ..wish }
    }

    fn is_due(&self, wish: &NamesWish) -> bool {
        let is_time = self.due.is_none_or(|due| Instant::now() >= due);
        // After a failure it waits, whatever is wanted.
        is_time || self.wish.as_ref().is_some_and(|before| before != wish)
    }

    /// Takes in what a turn came to; returns what there is to tell, as good news or bad.
    fn take(&mut self, wish: NamesWish, kept: Result<Kept, Refused>) -> Vec<Result<String, String>> {
        match kept {
            Ok(Kept { changed, alarms }) => {
                (self.due, self.wish, self.failed) = (Some(Instant::now() + QUIET), Some(wish), 0);
                let before = std::mem::replace(&mut self.told, alarms.iter().cloned().collect());
                let set = format!("{} set or removed", wording::count(changed, "record"));
                let new = alarms.into_iter().filter(|says| !before.contains(says)).map(Err);
                (changed > 0).then_some(Ok(set)).into_iter().chain(new).collect()
            }
            Err(refused) => {
                (self.due, self.wish) = (Some(Instant::now() + AGAIN), None);
                self.failed += 1;
                let says = format!("they are not kept: {refused}");
                if self.failed == PATIENCE { vec![Err(says)] } else { Vec::new() }
            }
        }
    }
}

async fn tell(platform: &Platform, news: Vec<Result<String, String>>) {
    for told in &news {
        match told {
            Ok(says) => info!(about = ABOUT, "{says}"),
            Err(says) => warn!(about = ABOUT, "{says}"),
        }
    }
    let events: Vec<_> = news.iter().map(|(Ok(says) | Err(says))| event(ABOUT, says)).collect();
    if let Err(error) = write(platform, &events).await {
        warn!(error = format!("{error:#}"), "what happened to names in DNS is not written down");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(app: &str) -> NamesWish {
        let apps = vec![([app.parse().unwrap()].into(), Some("one".to_owned()))];
        let (domain, control) = ("a.org".parse().unwrap(), "api.a.org".parse().unwrap());
        NamesWish { domain, control, balancers: Vec::new(), apps }
    }

    #[test]
    fn a_balancer_that_a_list_lacks_is_believed_in_for_a_while() {
        let listed = |name: &str| Listed {
            ours: true,
            name: name.to_owned(),
            address: String::new(),
            zone: String::new(),
            listener: String::new(),
            tls: false,
            others: Vec::new(),
            network: String::new(),
        };
        let (mut last, start) = (Last::default(), Instant::now());
        let mut believed = |names: &[&str], at: Duration| {
            let balancers = names.iter().map(|name| listed(name)).collect();
            let wish = last.believe(NamesWish { balancers, ..wish("b.org") }, start + at);
            wish.balancers.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(believed(&["one", "two"], Duration::ZERO), ["one", "two"]);
        assert_eq!(believed(&["two"], Duration::from_secs(1)), ["one", "two"]);
        assert_eq!(believed(&["one", "two"], DOUBT), ["one", "two"]);
        assert_eq!(believed(&["two"], DOUBT), ["one", "two"], "it was there meanwhile");
        assert_eq!(believed(&["two", "three"], DOUBT), ["one", "two", "three"]);
        assert_eq!(believed(&["two", "three"], 2 * DOUBT), ["two", "three"]);
    }

    #[test]
    fn a_change_is_carried_out_at_once_and_a_failure_is_not_repeated_at_once() {
        let mut last = Last::default();
        assert!(last.is_due(&wish("b.org")));
        let set = last.take(wish("b.org"), Ok(Kept { changed: 2, alarms: Vec::new() }));
        assert_eq!(set, [Ok("2 records set or removed".to_owned())]);
        assert!(!last.is_due(&wish("b.org")) && last.is_due(&wish("c.org")));
        let refused = || Err(Refused { says: "no".to_owned(), unknown: false, clear: false });
        let told: Vec<_> = (0..2 * PATIENCE).flat_map(|_| last.take(wish("c.org"), refused())).collect();
        assert_eq!(told, [Err("they are not kept: no".to_owned())], "it is told once, and when it lasts");
        assert!(!last.is_due(&wish("c.org")));
    }
}
