//! Who may reach whom in the network. Whatever is not named here is refused: security groups only allow.

use super::Who;

/// The ports that an agent gives to replicas.
const REPLICAS: (u16, u16) = (20_000, 29_999);
/// A host's entry, where servers reach its replicas.
const ENTRY: u16 = 5002;
/// Where hosts call the control plane.
const AGENTS: u16 = 5001;
/// The API, the dashboard and git, behind the load balancer.
const API: u16 = 5000;

/// Where connections may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Anywhere.
    World,
    /// Whoever is in that group.
    Group(Who),
}

/// One thing that is allowed in, over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// From where.
    pub from: Source,
}

impl Rule {
    /// Returns all that a group lets in.
    #[must_use]
    pub fn of(who: Who) -> Vec<Self> {
        let port = |port, from| Self { first: port, last: port, from };
        match who {
            Who::Entrance => vec![port(80, Source::World), port(443, Source::World)],
            Who::Host => vec![
                port(ENTRY, Source::Group(Who::Control)),
                Self { first: REPLICAS.0, last: REPLICAS.1, from: Source::Group(Who::Entrance) },
            ],
            Who::Control => {
                vec![port(API, Source::Group(Who::Entrance)), port(AGENTS, Source::Group(Who::Host))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_load_balancer_can_be_reached_from_outside() {
        for who in [Who::Host, Who::Control] {
            assert!(Rule::of(who).iter().all(|rule| rule.from != Source::World), "{who}");
        }
    }

    #[test]
    fn hosts_do_not_reach_each_other() {
        assert!(Rule::of(Who::Host).iter().all(|rule| rule.from != Source::Group(Who::Host)));
    }
}
