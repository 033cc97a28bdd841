//! Gives ports to replicas: never one to two of them, and a used one not again soon.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;

/// The ports of a host.
#[derive(Debug)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    taken: BTreeSet<u16>,
    next: u16,
}

impl Ports {
    /// Returns the ports of a range; the first one given is `seed` steps into it.
    pub(crate) fn new(range: RangeInclusive<u16>, seed: u64) -> Self {
        let count = u64::from(range.end().saturating_sub(*range.start())) + 1;
        let step = u16::try_from(seed % count).expect("less than the number of ports");
        Self { next: range.start() + step, range, taken: BTreeSet::new() }
    }

    /// Marks a port as given to a replica that was found running.
    pub(crate) fn take(&mut self, port: u16) {
        self.taken.insert(port);
    }

    /// Returns a port that no replica has and nothing listens on; none when the range is used up.
    pub(crate) fn give(&mut self, free: impl Fn(u16) -> bool) -> Option<u16> {
        for _ in self.range.clone() {
            let port = self.next;
            self.next = if port >= *self.range.end() { *self.range.start() } else { port + 1 };
            if !self.taken.contains(&port) && free(port) {
                self.taken.insert(port);
                return Some(port);
            }
        }
        None
    }

    /// Takes a port back.
    pub(crate) fn give_back(&mut self, port: u16) {
        self.taken.remove(&port);
    }
}

/// Tells whether nothing listens on the port, on any address of this host.
pub(crate) fn is_free(port: u16) -> bool {
    let addresses = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    // A host without IPv6 refuses the second with another error.
    let in_use = |error: io::Error| error.kind() == io::ErrorKind::AddrInUse;
    !addresses.into_iter().any(|address| TcpListener::bind((address, port)).is_err_and(in_use))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_port_that_something_listens_on_is_not_free() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(!is_free(port), "{address}");
            drop(listener);
            assert!(is_free(port), "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_port_is_given_twice_and_a_used_one_comes_last(seed: u64, count in 1u16..20) {
            let mut ports = Ports::new(1000..=1000 + count - 1, seed);
            let first = ports.give(|_| true).unwrap();
            ports.give_back(first);
            let given: Vec<u16> = std::iter::from_fn(|| ports.give(|_| true)).collect();
            prop_assert_eq!(given.len(), usize::from(count));
            prop_assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len());
            prop_assert_eq!(*given.last().unwrap(), first);
        }
    }
}
