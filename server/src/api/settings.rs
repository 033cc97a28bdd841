//! What an owner sets for an app beside its code, config vars and formation.

use model::app::AppSettings;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;

/// Longest time that any of the limits may be set to, in seconds.
const SECONDS_MAX: u32 = 24 * 3600;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(value(&call.app().settings)?))
}

/// Changes what is named and leaves the rest; null brings the default back.
pub(super) async fn change(call: Call) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let app =
        store::find_app_by_id(&mut tx, call.app().id).await?.ok_or_else(|| ApiError::not_found("app"))?;
    let settings = patched(&app.settings, &call.fields.0)?;
    store::set_settings(&mut tx, app.id, &settings).await?;
    commit(tx).await?;
    call.platform.wished();
    Ok(Answer::ok(value(&settings)?).noting("changes", Value::Object(call.fields.0)))
}

fn patched(present: &AppSettings, changes: &Map<String, Value>) -> Result<AppSettings, ApiError> {
    let (mut wanted, default) = (value(present)?, value(&AppSettings::default())?);
    patch(&mut wanted, &default, changes, "")?;
    let settings: AppSettings = serde_json::from_value(wanted)
        .map_err(|error| ApiError::invalid(format!("a setting is wrong: {error}")))?;
    check(&settings)?;
    Ok(settings)
}

fn patch(
    wanted: &mut Value,
    default: &Value,
    changes: &Map<String, Value>,
    path: &str,
) -> Result<(), ApiError> {
    for (name, change) in changes {
        let Some(usual) = default.get(name) else {
            let known: Vec<&str> =
                default.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let error = ApiError::invalid(format!("there is no setting `{path}{}`", name.escape_debug()));
            return Err(match model::wording::did_you_mean(name, known.iter().copied()) {
                Some(meant) => error.hint(format!("did you mean `{path}{meant}`?")),
                None => error.hint(format!("the settings are {}", known.join(", "))),
            });
        };
        match change {
            Value::Object(inner) => patch(&mut wanted[name], usual, inner, &format!("{path}{name}."))?,
            Value::Null => wanted[name] = usual.clone(),
            other => wanted[name] = other.clone(),
        }
    }
    Ok(())
}

fn check(settings: &AppSettings) -> Result<(), ApiError> {
    let health = &settings.health;
    let path = &health.path;
    if !path.starts_with('/')
        || path.len() > 1000
        || path.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(ApiError::invalid(
            "`health.path` starts with a slash and has no spaces, such as /health",
        ));
    }
    let times = [
        ("rollout_seconds", settings.rollout_seconds),
        ("release_command_seconds", settings.release_command_seconds),
        ("health.boot_seconds", health.boot_seconds),
        ("health.timeout_seconds", health.timeout_seconds),
        ("build_seconds", settings.build_seconds.unwrap_or(1)),
    ];
    for (name, seconds) in times {
        if seconds == 0 || seconds > SECONDS_MAX {
            return Err(ApiError::invalid(format!("`{name}` is between 1 and {SECONDS_MAX} seconds")));
        }
    }
    for (name, seconds) in
        [("drain_seconds", settings.drain_seconds), ("stop_seconds", settings.stop_seconds)]
    {
        if seconds > SECONDS_MAX {
            return Err(ApiError::invalid(format!("`{name}` is at most {SECONDS_MAX} seconds")));
        }
    }
    Ok(())
}

fn value(settings: &AppSettings) -> Result<Value, ApiError> {
    Ok(serde_json::to_value(settings).map_err(anyhow::Error::from)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(changes: Value) -> Result<AppSettings, String> {
        let present = AppSettings { drain_seconds: 7, ..AppSettings::default() };
        patched(&present, changes.as_object().unwrap()).map_err(|error| error.body().to_string())
    }

    #[test]
    fn what_is_not_named_stays_and_null_brings_the_default_back() {
        let settings = changed(json!({ "health": { "path": "/up" }, "deploy_branch": "live" })).unwrap();
        assert_eq!((settings.health.path.as_str(), settings.drain_seconds), ("/up", 7));
        assert_eq!(settings.health.boot_seconds, AppSettings::default().health.boot_seconds);
        assert_eq!(changed(json!({ "drain_seconds": null })).unwrap().drain_seconds, 30);
    }

    #[test]
    fn a_wrong_setting_is_refused_in_words() {
        assert!(
            changed(json!({ "health": { "paht": "/" } }))
                .unwrap_err()
                .contains("did you mean `health.path`?")
        );
        for wrong in [
            json!({ "rollout_seconds": 0 }),
            json!({ "rollout_seconds": "soon" }),
            json!({ "health": { "path": "up" } }),
            json!({ "deploy_branch": "a..b" }),
        ] {
            assert!(changed(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
