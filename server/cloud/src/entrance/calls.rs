//! Calls to balancers: a time limit on each, so many questions a minute, and no change by a server that decides no more.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::provider::{Balancers, Refused};

/// How long one call may take, attempts included.
const CALL: Duration = Duration::from_secs(45);

/// How many questions about a group may be asked a second, and how many at once: a third of what `ELBv2` grants an account, and
/// a quarter.
const RATE: f64 = 3.0;
const BURST: f64 = 10.0;

/// Changes that may fail in one turn; then it is likely that all do.
const FAILURES: u32 = 3;

/// The balancers as one turn calls them.
pub(super) struct Calls<'a> {
    pub(super) balancers: &'a Arc<dyn Balancers>,
    /// Tells whether this server still decides.
    pub(super) may: &'a (dyn Fn() -> bool + Send + Sync),
    pub(super) failed: u32,
    /// What was refused in plain words since such refusals were last of no account.
    pub(super) refused: u32,
}

impl Calls<'_> {
    /// Tells whether it is worth changing anything more in this turn.
    pub(super) fn go_on(&self) -> bool {
        self.failed < FAILURES && self.refused < FAILURES && (self.may)()
    }

    /// Turns to things of another kind, of which it says nothing what was refused of these.
    pub(super) fn turn_to_others(&mut self) {
        self.refused = 0;
    }

    /// Makes a change.
    pub(super) async fn change<T>(
        &mut self,
        call: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        if !(self.may)() {
            let says = "another server decides by now".to_owned();
            return Err(Refused { says, unknown: false, clear: false });
        }
        let answer = limited(call).await;
        match &answer {
            // That one thing is unknown says nothing of others.
            Err(refused) if refused.unknown => {}
            Err(refused) if refused.clear => self.refused += 1,
            Err(_) => self.failed += 1,
            Ok(_) => {}
        }
        answer
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn limited<T>(call: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    within(CALL, call).await
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    let says = || format!("the load balancers' API did not answer within {limit:?}");
    let answer = tokio::time::timeout(limit, call).await;
    answer.unwrap_or_else(|_| Err(Refused { says: says(), unknown: false, clear: false }))
}

/// How many questions may still be asked.
#[derive(Debug)]
pub(super) struct Budget {
    left: f64,
    at: Option<Timestamp>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: BURST, at: None }
    }
}

impl Budget {
    /// Counts one more question, if it may be asked.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let since = self.at.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        self.at = Some(now);
        self.left = (self.left + since * RATE).min(BURST);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn so_many_questions_a_minute_and_no_more() {
        let (mut budget, mut now) = (Budget::default(), Timestamp::UNIX_EPOCH);
        let mut asked = 0;
        for _ in 0..600 {
            asked += (0..50).filter(|_| budget.take(now)).count();
            now += SignedDuration::from_millis(100);
        }
        assert!((180..=191).contains(&asked), "{asked}");
    }

    #[tokio::test]
    async fn a_call_that_hangs_is_given_up() {
        let refused = within::<()>(Duration::from_millis(20), std::future::pending()).await.unwrap_err();
        assert_eq!(refused.says, "the load balancers' API did not answer within 20ms");
    }
}
