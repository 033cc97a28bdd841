//! Room on the disk that neither pushes nor sources may take: the platform's state and the apps' logs need it to go on.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// How often the disk is looked at while git writes to it.
const EVERY: Duration = Duration::from_millis(250);

/// The disk is nearly full, whoever did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's disk has {} MB free and keeps {} MB in reserve", .free / 1_000_000, .reserve.div_ceil(1_000_000))]
pub struct DiskShort {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that stay free.
    pub reserve: u64,
}

/// Returns whether writing so many bytes more would take of the reserve. A disk that cannot be asked is not short.
pub(crate) fn check(directory: impl AsFd, more: u64, reserve: u64) -> Result<(), DiskShort> {
    let Ok(facts) = rustix::fs::fstatvfs(directory) else { return Ok(()) };
    judge(facts.f_bavail.saturating_mul(facts.f_frsize), more, reserve)
}

fn judge(free: u64, more: u64, reserve: u64) -> Result<(), DiskShort> {
    if free.saturating_sub(more) < reserve { Err(DiskShort { free, reserve }) } else { Ok(()) }
}

/// Returns once less than the reserve is free where `directory` is.
pub(crate) async fn run_short(directory: &Path, reserve: u64) -> DiskShort {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let Ok(facts) = rustix::fs::statvfs(directory) else { continue };
        if let Err(short) = judge(facts.f_bavail.saturating_mul(facts.f_frsize), 0, reserve) {
            return short;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_let_through_leaves_the_reserve(free: u64, more: u64, reserve: u64) {
            match judge(free, more, reserve) {
                Ok(()) => prop_assert!(reserve == 0 || free - more >= reserve),
                Err(short) => prop_assert!(free < more.saturating_add(reserve) && short.free == free),
            }
        }
    }
}
