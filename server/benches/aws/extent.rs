//! How large the fleet is.

use std::fmt;

/// Replicas of each app: the most that one process type may have.
pub(crate) const EACH: usize = 100;

/// How large it is; all else follows from the number of instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) instances: usize,
}

impl Extent {
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let instances = arguments.find_map(|argument| argument.parse().ok());
        Self { instances: instances.unwrap_or(1_000) }
    }

    pub(crate) fn replicas(self) -> usize {
        self.apps() * EACH
    }

    pub(crate) fn apps(self) -> usize {
        self.instances / 10
    }

    /// A load balancer has 1,000 targets at most; an app may need 200, and a fifth is kept free.
    pub(crate) fn balancers(self) -> usize {
        self.apps().div_ceil(4)
    }

    /// Returns the number of instances of each of three zones.
    pub(crate) fn zones(self) -> [usize; 3] {
        [0, 1, 2].map(|zone| (self.instances + zone) / 3)
    }

    pub(crate) fn names(self) -> Vec<String> {
        (0..self.apps()).map(|number| format!("app-{number}")).collect()
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances } = self;
        let (replicas, apps, balancers) = (self.replicas(), self.apps(), self.balancers());
        write!(f, "{instances} instances, {replicas} replicas of {apps} apps, {balancers} load balancers")
    }
}
