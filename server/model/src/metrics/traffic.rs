//! The requests of an app, by what came of them and how long they took.

use std::ops::AddAssign;

use super::histogram::Histogram;

/// What came of a request, by the first digit of its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx, visitors who left included.
    ClientError,
    /// 5xx, the platform's own error pages included.
    ServerError,
}

/// The classes in the order of their counts.
pub const CLASSES: [Class; 4] = [Class::Success, Class::Redirect, Class::ClientError, Class::ServerError];

impl Class {
    /// Returns the class of a status; one that is none of ours, such as 999, is the server's error.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            100..=299 => Self::Success,
            300..=399 => Self::Redirect,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    /// Returns `2xx`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

/// Counts of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By class, in the order of [`CLASSES`].
    pub classes: [u64; CLASSES.len()],
    /// Tunnels that ended, such as `WebSockets`; they are no requests and have no response time.
    pub tunnels: u64,
    /// How long the requests took.
    pub latency: Histogram,
}

impl Traffic {
    /// Returns how many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.classes.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns how many of them were answered with 5xx.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.classes[Class::ServerError as usize]
    }

    /// Tells whether there was nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what was counted since an earlier state of the same counts.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            classes: std::array::from_fn(|at| self.classes[at].saturating_sub(before.classes[at])),
            tunnels: self.tunnels.saturating_sub(before.tunnels),
            latency: self.latency.since(&before.latency),
        }
    }
}

/// Requests of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// All of them.
    pub requests: u64,
    /// Those that were answered with 5xx.
    pub errors: u64,
}

impl Visits {
    /// Returns what was counted since an earlier state of the same counts; all of it if they began anew.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let difference =
            self.requests.checked_sub(before.requests).zip(self.errors.checked_sub(before.errors));
        difference.map_or(*self, |(requests, errors)| Self { requests, errors })
    }
}

impl AddAssign<Self> for Visits {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
    }
}

impl AddAssign<&Self> for Traffic {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            *mine = mine.saturating_add(theirs);
        }
        self.tunnels = self.tunnels.saturating_add(other.tunnels);
        self.latency += &other.latency;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_first_digit_of_a_status() {
        for (status, name) in
            [(200, "2xx"), (206, "2xx"), (304, "3xx"), (404, "4xx"), (499, "4xx"), (503, "5xx"), (999, "5xx")]
        {
            assert_eq!(Class::of(status).name(), name, "{status}");
        }
        assert_eq!(CLASSES.map(|class| class as usize), [0, 1, 2, 3]);
    }
}
