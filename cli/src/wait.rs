//! Waits by asking again and again: often at first, then less; with a deadline, and with patience for a server that is
//! being restarted.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::screen::Screen;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long a server may be silent before a wait gives up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`, or returns `None` at the deadline.
///
/// # Errors
/// What `ask` fails with, except that a silent server is asked again for a minute.
pub(crate) fn until<T>(
    screen: &Screen,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let (mut silent_since, mut answered) = (None::<Instant>, false);
    loop {
        match ask() {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => (silent_since, answered) = (None, true),
            Err(error) if error.is_passing() => bear(screen, &mut silent_since, error)?,
            Err(error) if answered => return Err(gone(error)),
            Err(error) => return Err(error),
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(LAST_PAUSE);
    }
}

/// Returns the error for what was there a moment ago.
pub(crate) fn gone(error: Error) -> Error {
    if error.not_found() != Some("app") {
        return error;
    }
    Error::failed("the app is gone: somebody destroyed or renamed it meanwhile")
        .hint("`paasctl apps` lists all of them.")
}

fn bear(screen: &Screen, silent_since: &mut Option<Instant>, error: Error) -> Result<()> {
    let since = *silent_since.get_or_insert_with(|| {
        screen.say("  The server does not answer; trying again.");
        Instant::now()
    });
    if since.elapsed() > SILENCE_MAX { Err(error) } else { Ok(()) }
}
