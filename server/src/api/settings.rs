//! What an owner sets for an app beside its code, config vars and formation.

use http::uri::PathAndQuery;
use model::app::{AppSettings, BOUNDS, ProcessSettings, bounds};
use model::name::ProcessType;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;

/// Most bytes of the path that is probed.
const PATH_MAX: usize = 1000;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(shown(&call, &call.app().settings)?))
}

/// Returns the settings, with what holds where nothing is set.
fn shown(call: &Call, settings: &AppSettings) -> Result<Value, ApiError> {
    let mut shown = value(settings)?;
    let limit = Some(call.platform.options.build_seconds);
    shown["defaults"] = value(&AppSettings { build_seconds: limit, ..AppSettings::default() })?;
    Ok(shown)
}

/// Changes what is named and leaves the rest; null brings the default back.
pub(super) async fn change(call: Call) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let app =
        store::find_app_by_id(&mut tx, call.app().id).await?.ok_or_else(|| ApiError::not_found("app"))?;
    let settings = patched(&app.settings, &call.fields.0)?;
    check_build_seconds(&call, &settings)?;
    store::set_settings(&mut tx, app.id, &settings).await?;
    commit(tx).await?;
    call.platform.wished();
    let shown = shown(&call, &settings)?;
    Ok(Answer::ok(shown).noting("changes", Value::Object(call.fields.0)))
}

pub(super) fn patched(present: &AppSettings, changes: &Map<String, Value>) -> Result<AppSettings, ApiError> {
    let (mut wanted, default) = (value(present)?, value(&AppSettings::default())?);
    patch(&mut wanted, &default, changes, "")?;
    check_numbers(&wanted)?;
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
            Value::Object(inner) if path.is_empty() && name == "processes" => {
                patch_processes(&mut wanted[name], inner)?;
            }
            Value::Object(inner) => patch(&mut wanted[name], usual, inner, &format!("{path}{name}."))?,
            Value::Null => wanted[name] = usual.clone(),
            other => wanted[name] = other.clone(),
        }
    }
    Ok(())
}

/// Changes what is set for single process types; one with nothing set is left out.
fn patch_processes(wanted: &mut Value, changes: &Map<String, Value>) -> Result<(), ApiError> {
    let usual = serde_json::to_value(ProcessSettings::default()).map_err(anyhow::Error::from)?;
    for (name, change) in changes {
        let process = name.parse::<ProcessType>().map_err(|error| ApiError::invalid(error.to_string()))?;
        if !process.is_scalable() {
            let message = format!("`{process}` runs once each time and has no settings of its own");
            return Err(ApiError::invalid(message));
        }
        let mut own = wanted.get(name).cloned().unwrap_or_else(|| usual.clone());
        match change {
            Value::Null => own = usual.clone(),
            Value::Object(fields) => patch(&mut own, &usual, fields, &format!("processes.{name}."))?,
            _ => return Err(ApiError::invalid(format!("`processes.{process}` is an object"))),
        }
        if own == usual
            && let Some(all) = wanted.as_object_mut()
        {
            all.remove(name);
        } else {
            wanted[name] = own;
        }
    }
    Ok(())
}

fn check_buildpacks(wanted: &[String]) -> Result<(), ApiError> {
    let known = detection::builtin().map_err(anyhow::Error::from)?;
    for name in wanted {
        let short = name.strip_prefix("heroku/").unwrap_or(name);
        if !known.iter().any(|buildpack| buildpack.name == short) {
            let names: Vec<&str> = known.iter().map(|buildpack| buildpack.name.as_str()).collect();
            let error =
                ApiError::invalid(format!("there is no buildpack `{}`", model::wording::plain(name, 60)));
            return Err(error.hint(format!("the buildpacks are {}", names.join(", "))));
        }
    }
    Ok(())
}

fn check(settings: &AppSettings) -> Result<(), ApiError> {
    let health = &settings.health;
    check_path(&health.path)?;
    check_buildpacks(&settings.buildpacks)?;
    Ok(())
}

/// Looks at the numbers before they are read, so that one that is none is told by its name.
fn check_numbers(wanted: &Value) -> Result<(), ApiError> {
    let types = wanted["processes"].as_object().into_iter().flat_map(Map::keys);
    let own = types.flat_map(|process| {
        ["drain_seconds", "stop_seconds"].map(|name| format!("/processes/{process}/{name}"))
    });
    for pointer in BOUNDS.iter().map(|(pointer, ..)| (*pointer).to_owned()).chain(own) {
        let given = wanted.pointer(&pointer).unwrap_or(&Value::Null);
        let (Some((_, range, unit)), false) = (bounds(&pointer), given.is_null()) else { continue };
        let number = given.as_u64().and_then(|number| u32::try_from(number).ok());
        if !number.is_some_and(|number| range.contains(&number)) {
            let (name, least, most) = (pointer[1..].replace('/', "."), range.start(), range.end());
            let message = format!("`{name}` is between {least} and {most} {unit}, a whole number");
            return Err(ApiError::invalid(message));
        }
    }
    Ok(())
}

/// A longer time would be promised and not given.
fn check_build_seconds(call: &Call, settings: &AppSettings) -> Result<(), ApiError> {
    let limit = call.platform.options.build_seconds;
    let named = call.fields.0.contains_key("build_seconds");
    if named && settings.build_seconds.is_some_and(|seconds| seconds > limit) {
        let message = format!("`build_seconds` is at most {limit} on this platform");
        return Err(ApiError::invalid(message).hint("`paasd serve --build-seconds` sets what it is at most"));
    }
    Ok(())
}

/// The probe asks for exactly this, so that it must be what stands in a request's first line.
fn check_path(path: &str) -> Result<(), ApiError> {
    let parsed = path.parse::<PathAndQuery>();
    // A load balancer takes nothing else.
    let whole =
        parsed.is_ok_and(|parsed| parsed.as_str() == path) && path.bytes().all(|b| b.is_ascii_graphic());
    if whole && path.starts_with('/') && path.len() <= PATH_MAX {
        return Ok(());
    }
    let error = ApiError::invalid(format!(
        "`health.path` starts with a slash, is a path of an address in plain ASCII without spaces or `#`, and has at most \
         {PATH_MAX} bytes, such as /health"
    ));
    Err(match path.is_ascii() {
        true => error,
        false => error.hint("write other characters as their bytes in UTF-8, such as `%C3%A9` for `é`"),
    })
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
        let soon = changed(json!({ "rollout_seconds": "soon" })).unwrap_err();
        assert!(soon.contains("`rollout_seconds` is between 1 and 3600 seconds, a whole number"), "{soon}");
    }

    #[test]
    fn a_path_that_a_load_balancer_would_refuse_is_refused_with_what_to_write_instead() {
        assert!(changed(json!({ "health": { "path": "/caf%C3%A9?deep=1&x=~*'" } })).is_ok());
        let refused = changed(json!({ "health": { "path": "/café" } })).unwrap_err();
        assert!(refused.contains("in plain ASCII") && refused.contains("%C3%A9"), "{refused}");
        for wrong in ["/a b", "/a#b", "/a\u{7f}", "/\u{80}", "/a\tb"] {
            assert!(changed(json!({ "health": { "path": wrong } })).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_number_beyond_its_bounds_or_none_is_refused_with_its_name_and_them() {
        for (name, least, most) in [
            ("rollout_seconds", 1, 3600),
            ("release_command_seconds", 1, 86_400),
            ("drain_seconds", 0, 3600),
            ("watch_seconds", 0, 3600),
            ("stop_seconds", 0, 3600),
            ("health.boot_seconds", 1, 3600),
            ("health.settle_ms", 0, 60_000),
        ] {
            let set = |value: i64| match name.split_once('.') {
                Some((outer, inner)) => changed(json!({ outer: { inner: value } })),
                None => changed(json!({ name: value })),
            };
            assert!(set(least).is_ok() && set(most).is_ok(), "{name}");
            let refused = set(most + 1).unwrap_err();
            assert!(refused.contains(&format!("`{name}` is between {least} and {most} ")), "{refused}");
            assert_eq!(set(least - 1).unwrap_err(), refused);
            assert_eq!(set(i64::MAX).unwrap_err(), refused);
        }
    }

    #[test]
    fn a_process_type_has_settings_of_its_own_until_none_is_left() {
        let worker: ProcessType = "worker".parse().unwrap();
        let settings = changed(json!({ "processes": { "worker": { "stop_seconds": 600 } } })).unwrap();
        assert_eq!(
            (settings.stop_seconds_of(&worker), settings.stop_seconds_of(&ProcessType::web())),
            (600, 30)
        );
        let again = |changes: Value| patched(&settings, changes.as_object().unwrap()).map_err(|_| ());
        let alone = again(json!({ "processes": { "worker": { "overlap": false } } })).unwrap();
        assert_eq!(alone.alone().collect::<Vec<_>>(), [&worker]);
        assert_eq!(alone.stop_seconds_of(&worker), 600, "what is not named stays");
        assert!(
            again(json!({ "processes": { "worker": { "stop_seconds": null } } }))
                .unwrap()
                .processes
                .is_empty()
        );
        for wrong in [
            json!({ "processes": { "worker": { "stop_seconds": 3601 } } }),
            json!({ "processes": { "worker": { "overlap": "no" } } }),
            json!({ "processes": { "worker": { "overlpa": false } } }),
            json!({ "processes": { "release": { "overlap": false } } }),
            json!({ "processes": { "a/b": { "overlap": false } } }),
            json!({ "processes": { "worker": 5 } }),
        ] {
            assert!(changed(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_health_path_is_what_a_request_can_ask_for() {
        let path = |path: &str| changed(json!({ "health": { "path": path } }));
        for good in ["/", "/up?deep=1", "/a/b%20c"] {
            assert_eq!(path(good).unwrap().health.path, good);
        }
        for bad in ["", "up", "*", "/a b", "/a#b", "/a\r\nX: y", "/<", &format!("/{}", "a".repeat(1000))] {
            assert!(path(bad).unwrap_err().contains("`health.path`"), "{bad:?}");
        }
    }
}
