//! The name of a platform on AWS, from which all names of its parts are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Part, Who};

/// The name of a platform on AWS: 2 to 16 lower-case letters, digits and dashes. A target group's name has 32
/// characters at most, and half of that is ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

/// Why something is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterNameError {
    /// It is too short or too long.
    #[error("the name of a platform on AWS has 2 to 16 characters, this one has {0}")]
    Length(usize),
    /// It has something else in it.
    #[error(
        "the name of a platform on AWS holds lower-case letters, digits and single dashes between them, not `{0}`"
    )]
    Characters(String),
}

impl FromStr for ClusterName {
    type Err = ClusterNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if !(2..=16).contains(&length) {
            return Err(ClusterNameError::Length(length));
        }
        let word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !text.split('-').all(word) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(ClusterNameError::Characters(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ClusterName {
    type Error = ClusterNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ClusterName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what a part is called, where it has a name of its own.
    #[must_use]
    pub fn of(&self, part: &Part) -> String {
        match part {
            Part::Balancer(1) => format!("paas-{self}"),
            // No platform's own name has two dashes in a row.
            Part::Balancer(number) => format!("paas-{self}--{number}"),
            Part::Role(who) | Part::Profile(who) | Part::Group(who) => format!("paas-{self}-{who}"),
            Part::Template => format!("paas-{self}-{}", Who::Host),
            part => format!("paas-{self}-{part}"),
        }
    }

    /// Returns which of the platform's load balancers has this name, counted from 1.
    #[must_use]
    pub fn balancer_of(&self, name: &str) -> Option<u8> {
        match name.strip_prefix("paas-")?.strip_prefix(self.as_str())? {
            "" => Some(1),
            further => further.strip_prefix("--")?.parse().ok().filter(|number| *number > 1),
        }
    }

    /// Returns the bucket's name. Buckets of all accounts share their names, so the account is part of it.
    #[must_use]
    pub fn bucket(&self, account: &str, region: &str) -> String {
        format!("paas-{self}-{account}-{region}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_what_aws_allows() {
        for wrong in
            ["a", "", "seventeen-letters-", "Upper", "under_score", "-a", "a-", "a--b", "1a", "ü-ber"]
        {
            assert!(wrong.parse::<ClusterName>().is_err(), "{wrong}");
        }
        let longest: ClusterName = "abcdefgh-1234567".parse().unwrap();
        for number in [1, 2, u8::MAX] {
            let name = longest.of(&Part::Balancer(number));
            assert!(name.len() <= 32);
            assert_eq!(longest.balancer_of(&name), Some(number));
        }
        let other: ClusterName = "abcdefgh".parse().unwrap();
        for name in ["paas-abcdefgh-1234567", "paas-abcdefgh--1", "paas-abcdefgh--x", "paas-abcdefg"] {
            assert_eq!(other.balancer_of(name), None, "{name}");
        }
        // Names of buckets have 63 characters at most, and no region's has more than 14.
        assert!(longest.bucket("123456789012", "ap-northeast-1").len() <= 63);
    }
}
