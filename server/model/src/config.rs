//! An app's config vars. Values are any bytes without NUL; they never reach a log, an error or a `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::config_value::ConfigValue;
use crate::name::ConfigKey;

/// Most bytes that one value may have.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of all names and values of an app, so that the environment fits into one `execve`.
pub const TOTAL_BYTES_MAX: usize = 1024 * 1024;

/// Why a value was refused. It tells sizes, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// NUL ends a string of an environment.
    #[error("the value of {0} holds a NUL byte, which no environment can carry")]
    Nul(ConfigKey),
    /// One value is too large.
    #[error("the value of {0} has {1} bytes; at most {VALUE_BYTES_MAX} are allowed")]
    TooLong(ConfigKey, usize),
    /// All of them together are too large.
    #[error("all config vars together would have {0} bytes; at most {TOTAL_BYTES_MAX} are allowed")]
    TooMuch(usize),
}

impl ConfigError {
    /// Returns what helps.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nul(_) => {
                "set it as base64 and let the app decode it; a text file may have been saved as UTF-16"
            }
            Self::TooLong(..) => {
                "bring large files with the code, or fetch them at start from an address in a config var"
            }
            Self::TooMuch(_) => {
                "`paasctl config` lists what is set; remove what is no longer used, or move large values to files"
            }
        }
    }
}

/// The config vars of an app or a release, in the order of their names. Copies share them: every replica has one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConfigVars(Arc<BTreeMap<ConfigKey, ConfigValue>>);

impl Serialize for ConfigVars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ConfigVars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|vars| Self(Arc::new(vars)))
    }
}

/// Only names may be shown.
impl fmt::Debug for ConfigVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(ConfigKey::as_str)).finish()
    }
}

impl ConfigVars {
    /// Returns the vars after the changes: `None` removes one.
    ///
    /// # Errors
    /// A value with NUL or over [`VALUE_BYTES_MAX`], or more than [`TOTAL_BYTES_MAX`] in all.
    pub fn changed(
        &self,
        changes: impl IntoIterator<Item = (ConfigKey, Option<ConfigValue>)>,
    ) -> Result<Self, ConfigError> {
        let mut vars = BTreeMap::clone(&self.0);
        for (key, value) in changes {
            let Some(value) = value else {
                vars.remove(&key);
                continue;
            };
            let bytes = value.reveal();
            if bytes.contains(&0) {
                return Err(ConfigError::Nul(key));
            }
            if bytes.len() > VALUE_BYTES_MAX {
                return Err(ConfigError::TooLong(key, bytes.len()));
            }
            vars.insert(key, value);
        }
        let total = vars.iter().map(|(key, value)| key.as_str().len() + value.reveal().len() + 2).sum();
        if total > TOTAL_BYTES_MAX { Err(ConfigError::TooMuch(total)) } else { Ok(Self(Arc::new(vars))) }
    }

    /// Returns the vars with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigKey, &ConfigValue)> {
        self.0.iter()
    }

    /// Returns one value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ConfigValue> {
        self.0.get(key)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names whose values differ between the two, as (added, changed, removed) from `self` to `other`.
    #[must_use]
    pub fn difference<'a>(&'a self, other: &'a Self) -> KeyChanges<'a> {
        let added = other.0.keys().filter(|key| !self.0.contains_key(*key)).collect();
        let removed = self.0.keys().filter(|key| !other.0.contains_key(*key)).collect();
        let differs =
            |key: &&ConfigKey| other.0.get(*key).is_some_and(|value| self.0.get(*key) != Some(value));
        let changed = self.0.keys().filter(differs).collect();
        KeyChanges { added, changed, removed }
    }
}

/// The names of config vars that differ between two releases.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyChanges<'a> {
    /// Only in the newer.
    pub added: Vec<&'a ConfigKey>,
    /// In both, with another value.
    pub changed: Vec<&'a ConfigKey>,
    /// Only in the older.
    pub removed: Vec<&'a ConfigKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ConfigKey {
        text.parse().unwrap()
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let vars = ConfigVars::default().changed([(key("API_KEY"), Some("s3cret".into()))]).unwrap();
        let shown = format!("{vars:?} {:?}", vars.get("API_KEY"));
        assert!(shown.contains("API_KEY") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn any_bytes_are_kept_and_nul_is_refused() {
        let all: Vec<u8> = (1..=255).collect();
        let vars = ConfigVars::default().changed([(key("ALL"), Some(all.clone().into()))]).unwrap();
        assert_eq!(vars.get("ALL").unwrap().reveal(), all);
        let refused = vars.changed([(key("X"), Some("a\0b".into()))]);
        assert_eq!(refused, Err(ConfigError::Nul(key("X"))));
    }

    #[test]
    fn a_value_may_have_64_kib_and_no_more() {
        let set = |bytes: usize| ConfigVars::default().changed([(key("A"), Some(vec![0xff; bytes].into()))]);
        assert!(set(64 * 1024).is_ok());
        assert_eq!(set(64 * 1024 + 1), Err(ConfigError::TooLong(key("A"), 64 * 1024 + 1)));
    }

    #[test]
    fn what_older_versions_stored_is_read_whatever_its_names() {
        let stored = r#"{"A":"text\n","PORT":"1","RANDOM":"2"}"#;
        let vars: ConfigVars = serde_json::from_str(stored).unwrap();
        assert_eq!((vars.len(), vars.get("A").unwrap().text()), (3, Some("text\n")));
        assert_eq!(serde_json::to_string(&vars).unwrap(), stored);
        let without = vars.changed([(ConfigKey::known("RANDOM").unwrap(), None)]).unwrap();
        assert_eq!(without.len(), 2);
    }

    #[test]
    fn a_difference_names_keys_only() {
        let old = ConfigVars::default()
            .changed([
                (key("A"), Some("1".into())),
                (key("B"), Some("1".into())),
                (key("C"), Some("1".into())),
            ])
            .unwrap();
        let new = old
            .changed([(key("A"), None), (key("B"), Some("2".into())), (key("D"), Some("1".into()))])
            .unwrap();
        let (a, b, d) = (key("A"), key("B"), key("D"));
        assert_eq!(
            old.difference(&new),
            KeyChanges { added: vec![&d], changed: vec![&b], removed: vec![&a] }
        );
    }
}
