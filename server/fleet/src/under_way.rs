//! Whether something is under way on a connection of which only the bytes are seen: after those of a request until those of its
//! answer have come, and none has for a moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How long nothing may have come until an answer is taken for whole.
const QUIET: Duration = Duration::from_secs(1);

/// How long to wait before it is looked again whether an answer has begun.
const LOOK: Duration = Duration::from_millis(50);

/// What was seen of one connection.
pub(crate) struct UnderWay(Mutex<Seen>);

#[derive(Clone, Copy)]
struct Seen {
    awaits_answer: bool,
    last: Instant,
}

impl Seen {
    /// Returns after what time to look again; nothing if nothing is under way.
    fn rest(self, now: Instant) -> Option<Duration> {
        let quiet = QUIET.checked_sub(now.saturating_duration_since(self.last));
        if self.awaits_answer { Some(LOOK) } else { quiet.filter(|rest| !rest.is_zero()) }
    }
}

impl UnderWay {
    /// Begins with a connection that was opened now.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Seen { awaits_answer: false, last: Instant::now() }))
    }

    /// Notes that bytes of a request came.
    pub(crate) fn asked(&self) {
        self.note(Seen { awaits_answer: true, last: Instant::now() });
    }

    /// Notes that bytes of an answer came.
    pub(crate) fn answered(&self) {
        self.note(Seen { awaits_answer: false, last: Instant::now() });
    }

    /// Waits until nothing is under way.
    pub(crate) async fn over(&self) {
        while let Some(rest) = self.seen().rest(Instant::now()) {
            sleep(rest).await;
        }
    }

    fn note(&self, seen: Seen) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_a_moment_after_an_answer_and_never_before_one() {
        let last = Instant::now();
        let asked = Seen { awaits_answer: true, last };
        assert_eq!(asked.rest(last + QUIET * 3600), Some(LOOK), "an hour without an answer");
        let answered = Seen { awaits_answer: false, last };
        assert_eq!(answered.rest(last), Some(QUIET), "more of it may come, or another request");
        assert_eq!(answered.rest(last + QUIET / 4), Some(QUIET * 3 / 4));
        assert_eq!(answered.rest(last + QUIET), None);
    }
}
