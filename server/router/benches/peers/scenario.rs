//! What is asked of all peers alike: how large the answers are, over how many connections, for how many hosts.

use std::fmt;
use std::str::FromStr;

/// One combination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Bytes in the body of each answer.
    pub(crate) body: usize,
    /// Hosts in the table, asked for in turn.
    pub(crate) hosts: usize,
    /// Connections of the client.
    pub(crate) connections: usize,
}

impl Scenario {
    /// Returns all combinations of what the environment or, without it, this function names.
    pub(crate) fn all() -> Vec<Self> {
        let (bodies, hosts) = (settings("BODY", &[1_024, 102_400]), settings("HOSTS", &[1, 10_000]));
        let connections = settings("CONNECTIONS", &[1, 64, 512]);
        let pairs = bodies.iter().flat_map(|body| hosts.iter().map(move |hosts| (*body, *hosts)));
        let with =
            |(body, hosts)| connections.iter().map(move |&connections| Self { body, hosts, connections });
        pairs.flat_map(with).collect()
    }

    /// Returns the host with this number.
    pub(crate) fn host(number: usize) -> String {
        format!("app-{number}.example.org")
    }

    /// Returns the names of all hosts.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        (0..self.hosts).map(Self::host)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KB, {} hosts, {} connections", self.body / 1_024, self.hosts, self.connections)
    }
}

/// Returns a value from the environment, or `default`.
pub(crate) fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn settings(name: &str, default: &[usize]) -> Vec<usize> {
    let given = std::env::var(name).unwrap_or_default();
    let given: Vec<_> = given.split(',').filter_map(|one| one.trim().parse().ok()).collect();
    if given.is_empty() { default.to_vec() } else { given }
}
