//! Names that users choose, checked once where they enter. The errors are the sentences a user reads.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::config_key::ConfigKey;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("{what} has {min} to {max} characters, this one has {found}")]
    Length {
        /// What the name is of, with its article.
        what: &'static str,
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// Characters given.
        found: usize,
    },
    /// A character that may not stand there.
    #[error("{what} {rule}, `{found}` does not fit")]
    Shape {
        /// What the name is of, with its article.
        what: &'static str,
        /// What is allowed, as the predicate of a sentence.
        rule: &'static str,
        /// The whole text that was given, cut to a sensible length.
        found: String,
    },
    /// A name with a meaning of its own.
    #[error("{what} cannot be `{found}`: {why}")]
    Reserved {
        /// What the name is of, with its article.
        what: &'static str,
        /// The name.
        found: String,
        /// What it is kept for.
        why: &'static str,
    },
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident => $check:path;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

names! {
    /// An app's name: 3 to 30 lower-case letters, digits and dashes; it is a label of a host name.
    AppName => check_app;
    /// A process type of a Procfile, such as `web`.
    ProcessType => check_process;
    /// A DNS host name in lower case; a leading `*.` is allowed.
    Hostname => check_hostname;
    /// A git branch that can be deployed.
    BranchName => check_branch;
}

impl ProcessType {
    /// Returns the type that the router sends requests to.
    #[must_use]
    pub fn web() -> Self {
        Self("web".to_owned())
    }

    /// Returns the type whose command runs once before a rollout.
    #[must_use]
    pub fn release() -> Self {
        Self("release".to_owned())
    }

    /// Returns the type of one-off processes.
    #[must_use]
    pub fn run() -> Self {
        Self("run".to_owned())
    }

    /// Tells whether requests are routed to it.
    #[must_use]
    pub fn is_web(&self) -> bool {
        self.0 == "web"
    }

    /// Tells whether a formation can hold it: `release` and `run` are started by the platform, once each time.
    #[must_use]
    pub fn is_scalable(&self) -> bool {
        !matches!(self.0.as_str(), "release" | "run")
    }
}

pub(crate) fn shape(what: &'static str, rule: &'static str, text: &str) -> NameError {
    NameError::Shape { what, rule, found: text.chars().take(60).map(visible).collect() }
}

/// Returns the character, or a mark in its place when it would not show or would steer a terminal.
fn visible(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

pub(crate) fn length(what: &'static str, text: &str, min: usize, max: usize) -> Result<(), NameError> {
    let found = text.chars().count();
    if (min..=max).contains(&found) { Ok(()) } else { Err(NameError::Length { what, min, max, found }) }
}

fn check_app(text: &str) -> Result<String, NameError> {
    const WHAT: &str = "an app name";
    const RULE: &str = "starts with a lower-case letter, goes on with lower-case letters, digits and dashes, and does not end with a dash";
    length(WHAT, text, 3, 30)?;
    let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !inner || !text.as_bytes()[0].is_ascii_lowercase() || text.ends_with('-') {
        return Err(shape(WHAT, RULE, text));
    }
    Ok(text.to_owned())
}

fn check_process(text: &str) -> Result<String, NameError> {
    const WHAT: &str = "a process type";
    length(WHAT, text, 1, 63)?;
    let ok = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !ok || !text.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(shape(
            WHAT,
            "holds letters, digits, dashes and underscores and starts with a letter or digit",
            text,
        ));
    }
    Ok(text.to_owned())
}

fn check_hostname(text: &str) -> Result<String, NameError> {
    const WHAT: &str = "a host name";
    const RULE: &str = "is made of labels of letters, digits and dashes with dots between them";
    let lower = text.trim_end_matches('.').to_ascii_lowercase();
    length(WHAT, &lower, 1, 253)?;
    let labels = lower.strip_prefix("*.").unwrap_or(&lower);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if labels.split('.').all(label_ok) { Ok(lower) } else { Err(shape(WHAT, RULE, text)) }
}

/// The rules of `git check-ref-format`, without those that only matter to whole refs.
fn check_branch(text: &str) -> Result<String, NameError> {
    const WHAT: &str = "a branch name";
    length(WHAT, text, 1, 200)?;
    let bad_char = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let bad = text.chars().any(bad_char)
        || text.contains("..")
        || text.contains("@{")
        || text.contains("//")
        || text.ends_with('.')
        || text.starts_with('-')
        || text.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"));
    if bad {
        Err(shape(WHAT, "follows the rules of `git check-ref-format`", text))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_app_name_is_a_dns_label_that_starts_with_a_letter() {
        for good in ["abc", "my-shop", "a1-2"] {
            assert_eq!(good.parse::<AppName>().unwrap().as_str(), good);
        }
        for bad in ["ab", "1abc", "Shop", "shop-", "sh_op", "a..b", &"a".repeat(31)] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_name_is_kept_in_lower_case_without_the_final_dot() {
        assert_eq!("WWW.Example.COM.".parse::<Hostname>().unwrap().as_str(), "www.example.com");
        assert!("exa mple.com".parse::<Hostname>().is_err());
        assert!("-a.com".parse::<Hostname>().is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_accepted_again(text in ".{0,40}") {
            if let Ok(name) = text.parse::<Hostname>() {
                prop_assert_eq!(name.as_str().parse::<Hostname>().unwrap(), name);
            }
            if let Ok(name) = text.parse::<AppName>() {
                prop_assert_eq!(name.as_str().parse::<AppName>().unwrap(), name);
            }
        }
    }
}
