//! Reads request bodies as leniently as real clients need: numbers may be text, truth may be 0 or 1, null and absent
//! are the same.

use model::name::NameError;
use serde_json::{Map, Value};

use super::error::ApiError;

/// The fields of a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// Reads a body; an empty one has no fields.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(_) => Err(ApiError::bad_request("the body must be a JSON object")),
            // The parser's own words may quote the body, which may hold secrets.
            Err(error) => Err(ApiError::bad_request(format!(
                "the body is not JSON: see line {}, column {}",
                error.line(),
                error.column()
            ))),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.get(name).map(|value| text(name, value)).transpose()
    }

    pub(super) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| ApiError::invalid(format!("`{name}` is missing")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name).map(|value| flag(name, value)).transpose()
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let wrong = || ApiError::invalid(format!("`{name}` must be a whole number"));
        let read = |value: &Value| match value {
            Value::Number(number) => number.as_u64().ok_or_else(wrong),
            Value::String(text) => text.trim().parse().map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        self.get(name).map(read).transpose()
    }

    /// Returns a name of the model.
    pub(super) fn name<T: std::str::FromStr<Err = NameError>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        Ok(self.text(name)?.map(|text| text.parse()).transpose()?)
    }

    /// Returns the list of objects of that name.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Fields>, ApiError> {
        let wrong = || ApiError::invalid(format!("`{name}` must be a list of objects"));
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(wrong)?;
        items.iter().map(|item| item.as_object().cloned().map(Fields).ok_or_else(wrong)).collect()
    }
}

/// Returns text, or the number or truth value as it would be written.
pub(super) fn text(name: &str, value: &Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        _ => Err(ApiError::invalid(format!("`{name}` must be text"))),
    }
}

fn flag(name: &str, value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::String(text) if matches!(text.as_str(), "true" | "1") => Ok(true),
        Value::String(text) if matches!(text.as_str(), "false" | "0" | "") => Ok(false),
        _ => Err(ApiError::invalid(format!("`{name}` must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_real_clients_send_is_understood() {
        let fields = Fields::parse(br#"{"a":0,"b":"+1","c":null,"d":"12","e":true,"f":7}"#).unwrap();
        assert_eq!(fields.flag("a").unwrap(), Some(false));
        assert_eq!(fields.text("b").unwrap().as_deref(), Some("+1"));
        assert_eq!(fields.text("c").unwrap(), None);
        assert_eq!(fields.number("d").unwrap(), Some(12));
        assert_eq!(fields.flag("e").unwrap(), Some(true));
        assert_eq!(fields.text("f").unwrap().as_deref(), Some("7"));
        assert!(Fields::parse(b" \n").unwrap().0.is_empty());
    }

    #[test]
    fn an_unreadable_body_is_refused_without_quoting_it() {
        let error = Fields::parse(br#"{"KEY":"s3cret" "#).unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"));
        assert!(Fields::parse(b"[1]").is_err());
        assert!(Fields::parse(b"\xff").is_err());
    }
}
