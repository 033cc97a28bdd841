//! How an instance becomes a host: the real agent with a metadata service and a server that takes it in, over a cloud that
//! is made up here.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and says more"
)]

mod desk;
mod joining;
mod machine;
mod metadata;
mod refusals;
mod sky;

use std::time::{Duration, Instant};

/// Waits until the condition gives something, or fails the test after a minute.
fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited a minute for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
