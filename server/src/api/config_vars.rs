//! Config vars. Reading values needs the right to change them.
//!
//! As in Heroku's API they are one JSON object of strings. A value that is not UTF-8 cannot be a string: it is
//! `{"base64": "…"}`, in answers and in `PATCH`, which also takes text in that form. `null` removes a var.

use model::config::{ConfigValue, ConfigVars};
use model::name::{ConfigKey, NameError};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::{fields, releases};
use crate::deploy;

/// Most bytes of a change: all config vars of an app, written in the longest way that JSON has.
pub(super) const BODY_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(shown(&present(&call).await?)))
}

/// Answers with the names alone, which who may look may know.
pub(super) async fn names(call: Call) -> Result<Answer, ApiError> {
    let vars = present(&call).await?;
    let names = vars.iter().map(|(key, _)| Value::from(key.as_str()));
    Ok(Answer::ok(names.collect::<Vec<_>>().into()))
}

/// Answers with the values of the vars that are named, and leaves a row in the audit trail.
pub(super) async fn reveal(call: Call) -> Result<Answer, ApiError> {
    let Some(Value::Array(wanted)) = call.fields.get("names") else {
        return Err(ApiError::invalid("`names` is a list of names of config vars"));
    };
    let is_wanted = |key: &ConfigKey| wanted.iter().any(|name| name == key.as_str());
    let present = present(&call).await?;
    let others = present.iter().filter(|(key, _)| !is_wanted(key)).map(|(key, _)| (key.clone(), None));
    let vars = present.changed(others).map_err(anyhow::Error::from)?;
    let names: Vec<_> = vars.iter().map(|(key, _)| Value::from(key.as_str())).collect();
    Ok(Answer::ok(shown(&vars)).noting("names", names))
}

async fn present(call: &Call) -> Result<ConfigVars, ApiError> {
    let mut db = call.read().await?;
    Ok(match store::newest_release_that_counts(&mut db, call.app().id).await? {
        Some(release) => deploy::release_config(&call.platform, &mut db, &release).await?,
        None => ConfigVars::default(),
    })
}

pub(super) async fn of_release(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let release = releases::find(&call, &mut db, call.parameter("release")).await?;
    let vars = deploy::release_config(&call.platform, &mut db, &release).await?;
    Ok(Answer::ok(shown(&vars)))
}

/// Answers with the whole result; the headers name the release and the rollout, if anything changed.
pub(super) async fn change(call: Call) -> Result<Answer, ApiError> {
    let (mut changes, mut set, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in &call.fields.0 {
        let (key, value) = wish(name, value)?;
        if value.is_some() { &mut set } else { &mut removed }.push(Value::from(key.as_str()));
        changes.push((key, value));
    }
    let (vars, made) = deploy::change_config(&call.platform, call.actor(), call.app(), changes).await?;
    let answer = Answer::ok(shown(&vars)).noting("set", set).noting("removed", removed);
    let Some(made) = made else { return Ok(answer) };
    let answer = answer.noting("release", made.release.version.0);
    let answer = answer.header("paas-release", &made.release.version.0.to_string());
    Ok(match made.operation {
        Some(operation) => answer.header("paas-operation", &operation.id.to_string()),
        None => answer,
    })
}

/// Reads what should become of one var. One that was set before its name was reserved can still be removed.
pub(super) fn wish(name: &str, value: &Value) -> Result<(ConfigKey, Option<ConfigValue>), ApiError> {
    if value.is_null() {
        return Ok((ConfigKey::known(name)?, None));
    }
    let key: ConfigKey = name.parse().map_err(|error: NameError| {
        let hint = ConfigKey::hint(&error);
        hint.into_iter().fold(ApiError::from(error), ApiError::hint)
    })?;
    if !value.is_object() {
        return Ok((key, Some(fields::text(name, value)?.into())));
    }
    let value = serde_json::from_value(value.clone()).map_err(|_| {
        ApiError::invalid(format!(
            "`{name}` must be a string, or {{\"base64\": \"…\"}} for bytes that are no text"
        ))
    })?;
    Ok((key, Some(value)))
}

pub(super) fn shown(vars: &ConfigVars) -> Value {
    // Neither form of a value can fail to be JSON.
    let pairs = vars.iter().map(|(key, value)| (key.to_string(), json!(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(name: &str, value: Value) -> Result<Option<ConfigValue>, String> {
        wish(name, &value).map(|(_, value)| value).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn text_numbers_truth_and_bytes_are_read_and_null_removes() {
        for (given, bytes) in [
            (json!("ü"), "ü".as_bytes()),
            (json!(12), b"12"),
            (json!(true), b"true"),
            (json!({ "base64": "/wE=" }), b"\xff\x01"),
            (json!({ "base64": "YQ==" }), b"a"),
        ] {
            assert_eq!(read("A", given).unwrap().unwrap().reveal(), bytes);
        }
        assert_eq!(read("A", Value::Null).unwrap(), None);
        assert_eq!(read("RANDOM", Value::Null).unwrap(), None, "what was set before can be removed");
        assert!(read("RANDOM", json!("1")).unwrap_err().contains("would not arrive"));
        assert!(read("PAAS_RELEASE", json!("1")).unwrap_err().contains("`MY_PAAS_RELEASE`"), "what helps");
    }

    #[test]
    fn what_is_no_value_is_refused_without_quoting_it() {
        for wrong in
            [json!({ "base64": "s3cret!" }), json!({ "base46": "s3cret" }), json!(["s3cret"]), json!({})]
        {
            let error = read("A", wrong).unwrap_err();
            assert!(error.contains("`A` must be") && !error.contains("s3cret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_answered_can_be_sent_back(bytes in proptest::collection::vec(1_u8.., 0..300)) {
            let key = || "A".parse::<ConfigKey>().unwrap();
            let vars = ConfigVars::default().changed([(key(), Some(bytes.into()))]).unwrap();
            let body = serde_json::to_vec(&shown(&vars)).unwrap();
            let fields = fields::Fields::parse(&body).unwrap();
            let changes = fields.0.iter().map(|(name, value)| wish(name, value).unwrap());
            prop_assert_eq!(ConfigVars::default().changed(changes).unwrap(), vars);
        }
    }
}
