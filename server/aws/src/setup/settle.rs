//! How long to wait, and for what, when a step did not go well.

use std::time::Duration;

use tokio::time::Instant;

use super::look::{look_at_names, look_once};
use super::{Found, Part, Wish};
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

/// How patient a set-up is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long AWS may say that it does not know what it has just made, or takes no calls.
    pub passing: Duration,
    /// How long something may stay out of sight after an answer was lost, before it counts as not made.
    pub unseen: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { passing: Duration::from_secs(120), unseen: Duration::from_secs(15) }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(8);

/// Looks at everything, and compares it with the wish.
///
/// # Errors
/// AWS does not answer for long, or something that is not ours has a name that ours would have.
pub async fn look(clients: &Clients, wish: &Wish, patience: Patience) -> Result<Found, Failure> {
    // Looking changes nothing, so that it may be repeated whatever became of it.
    bear(patience, Kind::is_passing, async || look_once(clients, wish).await).await
}

/// Looks at everything that goes when all goes: at names in DNS, too.
///
/// # Errors
/// As above.
pub async fn look_before_leaving(
    clients: &Clients,
    wish: &Wish,
    patience: Patience,
) -> Result<Found, Failure> {
    let mut found = look(clients, wish, patience).await?;
    bear(patience, Kind::is_passing, async || look_at_names(clients, wish, &mut found).await).await?;
    Ok(found)
}

/// Repeats what fails in such a way for a while.
///
/// # Errors
/// Whatever else it fails with, or the same for too long.
pub(crate) async fn bear<T>(
    patience: Patience,
    bearable: impl Fn(Kind) -> bool,
    mut act: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + patience.passing;
    let mut pause = FIRST_PAUSE;
    loop {
        match act().await {
            Err(failure) if bearable(failure.kind) && Instant::now() + pause < deadline => {
                tracing::debug!(%failure, "tries again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Tells whether AWS took no notice of a step. In a set-up everything that is spoken of was seen or made a moment ago, so
/// that "unknown" means "not yet".
pub(super) fn is_untaken(kind: Kind) -> bool {
    matches!(kind, Kind::Throttled | Kind::Unknown)
}

/// Looks until a part is there whose making had no answer. Where AWS itself refuses a second one, one look is enough.
///
/// # Errors
/// AWS does not answer.
pub(super) async fn seek(
    clients: &Clients,
    wish: &Wish,
    part: &Part,
    patience: Patience,
) -> Result<Found, Failure> {
    let deadline = Instant::now() + patience.unseen;
    let mut pause = FIRST_PAUSE;
    loop {
        let found = look(clients, wish, patience).await?;
        if found.id(part).is_some() || part.is_unique_at_aws() || Instant::now() + pause >= deadline {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}
