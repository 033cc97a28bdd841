//! Milliseconds since the process began to ask, so that a moment fits into an atomic integer.
//!
//! Each thread reads the system's clock when it begins to look after a connection, and goes by that until it looks
//! after the next: a request passes many points that want to know the time, and to read the clock costs.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static NOW: Cell<u64> = Cell::new(read());
}

/// Reads the clock for this thread and returns the present moment in milliseconds since the first call.
pub(crate) fn tick() -> u64 {
    let now = read();
    NOW.set(now);
    now
}

/// Returns the moment of this thread's last tick in milliseconds since the first call.
pub(crate) fn now() -> u64 {
    NOW.get()
}

/// Returns the moment that lies `millis` after the first call.
pub(crate) fn instant(millis: u64) -> Instant {
    *EPOCH + Duration::from_millis(millis)
}

fn read() -> u64 {
    u64::try_from(Instant::now().saturating_duration_since(*EPOCH).as_millis()).unwrap_or(u64::MAX)
}
