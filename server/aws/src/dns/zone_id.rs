//! The id of a hosted zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a hosted zone, such as `Z0123456789ABCDEFGHIJ`: up to 32 letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneId(String);

/// Why something is no such id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a hosted zone is up to 32 letters and digits, such as Z0123456789ABCDEFGHIJ, not `{0}`")]
pub struct ZoneIdError(String);

impl FromStr for ZoneId {
    type Err = ZoneIdError;

    fn from_str(text: &str) -> Result<Self, ZoneIdError> {
        // The API shows it with this in front.
        let id = text.strip_prefix("/hostedzone/").unwrap_or(text);
        let is_right = (1..=32).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric());
        if is_right { Ok(Self(id.to_owned())) } else { Err(ZoneIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for ZoneId {
    type Error = ZoneIdError;

    fn try_from(text: String) -> Result<Self, ZoneIdError> {
        text.parse()
    }
}

impl From<ZoneId> for String {
    fn from(id: ZoneId) -> Self {
        id.0
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ZoneId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_people_and_the_api_write_it_and_nothing_else_is() {
        let id: ZoneId = "Z012ABC".parse().unwrap();
        assert_eq!("/hostedzone/Z012ABC".parse(), Ok(id));
        for wrong in ["", "Z/../A", "example.org", &"Z".repeat(33)] {
            assert!(wrong.parse::<ZoneId>().is_err(), "{wrong}");
        }
    }
}
