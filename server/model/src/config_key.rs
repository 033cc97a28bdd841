//! The name of a config var: which names can be set, and why others would not arrive in an app.
//!
//! Rules are for what comes in. What is stored was taken under the rules of its day and can always be read and
//! removed.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{NameError, length, shape};

const WHAT: &str = "a config var's name";

/// Variables that bash makes read-only, sets anew, drops or changes its ways by (bash(1), "Shell Variables"; found
/// by sending each through the shells that start a replica).
const SHELLS_OWN: [&str; 37] = [
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_ARGV0",
    "BASH_COMMAND",
    "BASH_EXECUTION_STRING",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "BASH_VERSION",
    "COMP_WORDBREAKS",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "HISTCMD",
    "IFS",
    "LINENO",
    "OLDPWD",
    "OPTERR",
    "OPTIND",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PS1",
    "PS2",
    "PS4",
    "PWD",
    "RANDOM",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
    "_",
    "_sandbox",
];

/// Variables that tell a process what it is. `HEROKU_APP_NAME` and `HEROKU_APP_ID` are not among them: on Heroku they
/// are config vars of some apps, and who brings such an app may mean its old name.
const PLATFORM_SETS: [&str; 8] = [
    "DYNO",
    "HEROKU_DYNO_ID",
    "HEROKU_RELEASE_VERSION",
    "PAAS_APP",
    "PAAS_MEMORY_MB",
    "PAAS_RELEASE",
    "PORT",
    "PS",
];

/// How names begin that the platform uses on the way into a replica.
const PLATFORMS_OWN: [&str; 2] = ["_paas", "SANDBOX_ENV_"];

/// The name of a config var.
///
/// Parsing checks it; deserializing does not, because what was stored must always load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigKey(String);

impl ConfigKey {
    /// Reads the name of a var that may have been set when other names were reserved.
    ///
    /// # Errors
    /// A text that has not the shape of a variable's name.
    pub fn known(text: &str) -> Result<Self, NameError> {
        length(WHAT, text, 1, 128)?;
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !word || text.as_bytes()[0].is_ascii_digit() {
            let rule = "holds letters, digits and underscores and does not start with a digit";
            return Err(shape(WHAT, rule, text));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns what helps somebody whose name for a var was refused, if anything does.
    #[must_use]
    pub fn hint(error: &NameError) -> Option<String> {
        let NameError::Reserved { found, .. } = error else { return None };
        Some(format!(
            "for a value of your own use another name, such as `MY_{}`",
            found.trim_start_matches('_')
        ))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConfigKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let key = Self::known(text)?;
        let reserved = |why| Err(NameError::Reserved { what: WHAT, found: text.to_owned(), why });
        if PLATFORM_SETS.contains(&text) {
            return reserved("the platform sets it for each replica");
        }
        if SHELLS_OWN.contains(&text) {
            return reserved(
                "the shell that starts each process keeps it for itself, so that the value would not arrive",
            );
        }
        if PLATFORMS_OWN.iter().any(|start| text.starts_with(start)) {
            return reserved("the platform uses it to start processes, so that the value would not arrive");
        }
        Ok(key)
    }
}

impl Borrow<str> for ConfigKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_reserved(name: &str) -> bool {
        matches!(name.parse::<ConfigKey>(), Err(NameError::Reserved { .. }))
    }

    #[test]
    fn what_the_platform_sets_cannot_be_a_config_var() {
        assert!(PLATFORM_SETS.into_iter().all(is_reserved));
        assert!(!is_reserved("HEROKU_APP_NAME") && !is_reserved("PAAS_TOKEN"));
        let refused = "PAAS_RELEASE".parse::<ConfigKey>().unwrap_err();
        assert!(refused.to_string().contains("`PAAS_RELEASE`: the platform sets it"), "{refused}");
        let hint = ConfigKey::hint(&refused).unwrap();
        assert!(hint.ends_with("`MY_PAAS_RELEASE`") && !is_reserved("MY_PAAS_RELEASE"), "{hint}");
    }

    #[test]
    fn what_no_value_gets_through_a_shell_for_cannot_be_a_config_var() {
        for name in SHELLS_OWN.into_iter().chain(["_paas_status", "SANDBOX_ENV_A"]) {
            assert!(is_reserved(name), "{name}");
        }
        for name in
            ["__", "_A", "uid", "MY_UID", "BASHRC", "BASH_ENV", "PATH", "LD_PRELOAD", "SECONDS", "PS3"]
        {
            assert_eq!(name.parse::<ConfigKey>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_reserved_name_that_was_stored_is_read_and_can_be_named_to_be_removed() {
        for name in ["RANDOM", "PORT", "_"] {
            let stored: ConfigKey = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(stored, ConfigKey::known(name).unwrap());
        }
        assert!(ConfigKey::known("A=1").is_err());
    }

    #[test]
    fn a_refusal_shows_no_control_characters() {
        let error = "a\u{1b}[31m/x".parse::<ConfigKey>().unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}
