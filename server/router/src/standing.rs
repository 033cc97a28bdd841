//! Decides from connections that did or did not come about whether a replica is asked, and how it comes back.
//!
//! A replica that takes no connections is out until it takes one again. Out means that every other replica of the
//! app goes first; the last one of an app is always asked, so that an app that is only busy stays reachable.

use std::io;
use std::time::Duration;

/// How long a connection may take while there is another replica to ask, so that one that is silent is out within
/// two seconds of the first request that met it.
const HASTE: Duration = Duration::from_secs(1);

/// The first and the longest pause between two attempts to find out whether a replica is back.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How long one such attempt may take.
pub(crate) const KNOCK: Duration = Duration::from_secs(1);

/// Whether a replica is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is asked in its turn.
    In,
    /// It is asked after all others.
    Out,
}

impl Standing {
    /// Returns where a replica stands after an attempt to connect to it.
    pub(crate) fn after(self, attempt: Result<(), io::ErrorKind>) -> Self {
        match attempt {
            Ok(()) => Self::In,
            Err(error) if blames_replica(error) => Self::Out,
            Err(_) => self,
        }
    }
}

/// Returns how long to wait for a connection: `limit`, or less when there are `others` to ask.
pub(crate) fn patience(limit: Duration, others: bool) -> Duration {
    if others { limit.min(HASTE) } else { limit }
}

/// Returns how long to wait before a replica that is out is tried again, after `attempts` that failed.
pub(crate) fn pause(attempts: u32) -> Duration {
    PAUSE.0.saturating_mul(2_u32.saturating_pow(attempts)).min(PAUSE.1)
}

/// Returns whether the replica failed to take a connection; a lack of ports or descriptors is the router's own.
fn blames_replica(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    matches!(
        error,
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | TimedOut
            | HostUnreachable
            | NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refusal_puts_a_replica_out_and_one_connection_brings_it_back() {
        let out = Standing::In.after(Err(io::ErrorKind::ConnectionRefused));
        assert_eq!(out, Standing::Out);
        assert_eq!(out.after(Err(io::ErrorKind::TimedOut)), Standing::Out);
        assert_eq!(out.after(Ok(())), Standing::In);
    }

    #[test]
    fn a_lack_of_the_routers_own_says_nothing_about_a_replica() {
        for error in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::Other, io::ErrorKind::OutOfMemory] {
            assert_eq!(Standing::In.after(Err(error)), Standing::In);
            assert_eq!(Standing::Out.after(Err(error)), Standing::Out);
        }
    }

    #[test]
    fn a_silent_replica_is_out_in_less_than_two_seconds_and_back_in_as_little() {
        assert!(patience(Duration::from_secs(60), true) < Duration::from_secs(2));
        assert_eq!(patience(Duration::from_secs(60), false), Duration::from_secs(60));
        assert_eq!(patience(Duration::from_millis(3), true), Duration::from_millis(3));
        assert_eq!(pause(0), PAUSE.0);
        assert!((0..200).all(|attempts| pause(attempts) <= PAUSE.1));
    }
}
