//! Notices that requests to a replica are not answered, and has it probed: at once, instead of at the next of the few
//! probes that one which is well gets. Whether it is out is decided by what the probe finds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::id::ReplicaId;
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;

/// How often the router's counts are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long requests may go without any answer. Together with a look and a prompt answer to the probe it stays far below
/// the two seconds within which a replica that hangs is out.
const RIPE: Duration = Duration::from_millis(400);

/// The shortest time between two probes of one replica for such a reason: an app may well be slow.
const REST: Duration = Duration::from_secs(1);

/// What the router has counted of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Requests that were sent to it.
    pub requests: u64,
    /// Those that it began to answer.
    pub answered: u64,
    /// Some wait for that.
    pub waiting: bool,
}

/// What was counted the last time, and since when it owes answers.
#[derive(Clone, Copy, Debug)]
struct Owed {
    counted: Answers,
    since: Option<Instant>,
    probed: Option<Instant>,
}

impl Owed {
    fn new(counted: Answers) -> Self {
        Self { counted, since: None, probed: None }
    }

    /// Takes note of what is counted now. Returns whether it is to be probed.
    fn note(&mut self, counted: Answers, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.counted, counted);
        if counted.answered != before.answered {
            self.since = None;
        }
        // A visitor who left without an answer waits no more, and is a reason all the same.
        let more = |now: u64, before: u64| now.saturating_sub(before);
        let unanswered = more(counted.requests, before.requests) > more(counted.answered, before.answered);
        if counted.waiting || unanswered {
            self.since.get_or_insert(now);
        }
        let is_ripe = self.since.is_some_and(|since| now.duration_since(since) >= RIPE);
        let rested = self.probed.is_none_or(|probed| now.duration_since(probed) >= REST);
        if is_ripe && rested {
            (self.since, self.probed) = (None, Some(now));
        }
        is_ripe && rested
    }
}

/// Looks until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let looks = async {
        let mut owed: BTreeMap<ReplicaId, Owed> = BTreeMap::new();
        loop {
            let (counted, now) = (platform.facts.answers(), Instant::now());
            owed.retain(|id, _| counted.contains_key(id));
            let mut doubted = BTreeSet::new();
            for (id, counted) in counted {
                if owed.entry(id).or_insert_with(|| Owed::new(counted)).note(counted, now) {
                    doubted.insert(id);
                }
            }
            if !doubted.is_empty() {
                tell(&platform, &doubted);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    stop.run_until_cancelled(looks).await;
}

/// Tells each host which of its replicas are in doubt.
fn tell(platform: &Platform, doubted: &BTreeSet<ReplicaId>) {
    let reports = platform.facts.reports();
    for (host, status) in reports.replicas().filter(|(_, status)| doubted.contains(&status.id)) {
        platform.wishes.doubt(host, [status.id]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts at one look: requests, answered, waiting.
    fn counts((requests, answered, waiting): (u64, u64, bool)) -> Answers {
        Answers { requests, answered, waiting }
    }

    /// Returns at which looks a replica is probed.
    fn probed(looks: impl IntoIterator<Item = (u64, u64, bool)>) -> Vec<usize> {
        let (start, mut owed) = (Instant::now(), Owed::new(Answers::default()));
        let looks = (0u32..).zip(looks);
        let asked = looks.filter(|(at, look)| owed.note(counts(*look), start + LOOK * *at));
        asked.map(|(at, _)| at as usize).collect()
    }

    #[test]
    fn one_that_hangs_is_out_within_two_seconds_of_the_first_request_that_it_does_not_answer() {
        assert_eq!(probed([(0, 0, false), (1, 0, true), (2, 0, true), (3, 0, true)]), [3]);
        assert!(LOOK + RIPE + LOOK + agent::PROMPT < Duration::from_millis(1_800));
    }

    #[test]
    fn visitors_who_leave_without_an_answer_are_a_reason_too() {
        assert_eq!(probed([(0, 0, false), (1, 0, false), (1, 0, false), (1, 0, false), (1, 0, false)]), [3]);
    }

    #[test]
    fn one_that_is_idle_or_answers_or_streams_is_not_probed() {
        assert_eq!(probed([(9, 9, false); 50]), [0_usize; 0]);
        assert_eq!(probed((0..50).map(|n| (n + 1, n, true))), [0_usize; 0]);
        assert_eq!(probed((0..50).map(|_| (5, 5, false))), [0_usize; 0]);
    }

    #[test]
    fn one_that_is_slow_is_probed_once_a_second_at_most() {
        assert_eq!(probed([(1, 0, true); 12]), [2, 7]);
    }
}
