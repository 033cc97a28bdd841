//! Milliseconds since the process began to ask, so that a moment fits into an atomic integer.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the present moment in milliseconds since the first call.
pub(crate) fn now() -> u64 {
    millis(Instant::now())
}

/// Returns `moment` in milliseconds since the first call, 0 when it is earlier.
pub(crate) fn millis(moment: Instant) -> u64 {
    u64::try_from(moment.saturating_duration_since(*EPOCH).as_millis()).unwrap_or(u64::MAX)
}

/// Returns the moment that lies `millis` after the first call.
pub(crate) fn instant(millis: u64) -> Instant {
    *EPOCH + Duration::from_millis(millis)
}
