//! The value of a config var: any bytes without NUL, and the form in which JSON carries them.
//!
//! What is UTF-8 is a string, as in Heroku's API; other bytes are `{"base64": "…"}`. Both forms are read.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Pads what it writes, and does not ask for it in what it reads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A config var's value. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigValue(Vec<u8>);

impl ConfigValue {
    /// Returns the value, to be handed to a process or to who may read it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Returns the value if it is UTF-8 text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<Vec<u8>> for ConfigValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for ConfigValue {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for ConfigValue {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A value as JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Form<'a> {
    Text(Cow<'a, str>),
    Bytes { base64: String },
}

impl Serialize for ConfigValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = || Form::Bytes { base64: BASE64.encode(&self.0) };
        self.text().map_or_else(bytes, |text| Form::Text(text.into())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // No error may quote what was read.
        let form = Form::deserialize(deserializer)
            .map_err(|_| D::Error::custom("a config value is a string or {\"base64\": \"…\"}"))?;
        match form {
            Form::Text(text) => Ok(text.into_owned().into()),
            Form::Bytes { base64 } => {
                let bytes = BASE64.decode(base64);
                bytes.map(Self).map_err(|_| D::Error::custom("the base64 of a config value is not valid"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<ConfigValue, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_a_string_and_other_bytes_are_base64() {
        let written = |bytes: &[u8]| serde_json::to_string(&ConfigValue(bytes.to_vec())).unwrap();
        assert_eq!(written("a\n\"ü".as_bytes()), r#""a\n\"ü""#);
        assert_eq!(written(b""), r#""""#);
        assert_eq!(written(b"\xff\x01"), r#"{"base64":"/wE="}"#);
    }

    #[test]
    fn both_forms_are_read_and_nothing_else_with_no_word_of_it() {
        assert_eq!(read(r#""\u00e4""#).unwrap().reveal(), "ä".as_bytes());
        for same in [r#"{"base64":"/wE="}"#, r#"{"base64":"/wE"}"#] {
            assert_eq!(read(same).unwrap().reveal(), b"\xff\x01");
        }
        for bad in
            ["77", "[77]", r#"{"base64":"s3cret"}"#, r#"{"base64":"","s3cret":""}"#, r#"{"hex":"77"}"#, "{}"]
        {
            let error = read(bad).unwrap_err();
            assert!(!error.contains("77") && !error.contains("s3cret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_from_json(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".*") {
            for value in [ConfigValue(bytes), text.into()] {
                let json = serde_json::to_string(&value).unwrap();
                prop_assert_eq!(&read(&json).unwrap(), &value);
                let tree = serde_json::to_value(&value).unwrap();
                prop_assert_eq!(serde_json::from_value::<ConfigValue>(tree).unwrap(), value);
            }
        }
    }
}
