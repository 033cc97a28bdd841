//! The settings by the names that users write, and where the API keeps them.

use std::borrow::Cow;

use model::app::bounds;
use model::wording;
use serde_json::{Value, json};

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text; an empty one unsets it.
    Text,
    /// A whole number; an empty one unsets it.
    Number,
    /// Words with commas between them.
    List,
    /// `on` or `off`; an empty one unsets it.
    Switch,
}

/// A setting.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The name users write, such as `deploy-branch`.
    pub(crate) name: Cow<'static, str>,
    /// Where the API keeps it.
    pub(crate) pointer: Cow<'static, str>,
    /// What values it takes.
    pub(crate) shape: Shape,
    /// What it decides.
    pub(crate) meaning: &'static str,
}

const fn setting(name: &'static str, pointer: &'static str, shape: Shape, meaning: &'static str) -> Setting {
    Setting { name: Cow::Borrowed(name), pointer: Cow::Borrowed(pointer), shape, meaning }
}

/// What holds while a setting has no value: a word, or where it stands in the settings.
const UNSET: &[(&str, &str)] = &[
    ("deploy-branch", "main, master"),
    ("build-seconds", "/defaults/build_seconds"),
    ("connection-limit", "unlimited"),
    ("drain-seconds", "/drain_seconds"),
    ("stop-seconds", "/stop_seconds"),
    ("overlap", "on"),
];

/// All settings that users may change.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("deploy-branch", "/deploy_branch", Shape::Text, "the branch whose push deploys"),
    setting("health-path", "/health/path", Shape::Text, "what health checks ask for"),
    setting("boot-seconds", "/health/boot_seconds", Shape::Number, "time until first healthy"),
    setting("health-timeout-seconds", "/health/timeout_seconds", Shape::Number, "time for one answer"),
    setting("settle-ms", "/health/settle_ms", Shape::Number, "uptime that counts, if no port"),
    setting("rollout-seconds", "/rollout_seconds", Shape::Number, "time for a whole rollout"),
    setting("release-command-seconds", "/release_command_seconds", Shape::Number, "time for `release:`"),
    setting("watch-seconds", "/watch_seconds", Shape::Number, "time a release is watched for"),
    setting("drain-seconds", "/drain_seconds", Shape::Number, "time for last requests"),
    setting("stop-seconds", "/stop_seconds", Shape::Number, "time from SIGTERM to SIGKILL"),
    setting("build-seconds", "/build_seconds", Shape::Number, "time for a build"),
    setting("sticky-sessions", "/sticky_sessions", Shape::Switch, "visitors return to one replica"),
    setting("connection-limit", "/connection_limit", Shape::Number, "requests in flight at a time"),
    setting("buildpacks", "/buildpacks", Shape::List, "used instead of detection"),
];

/// All settings of one process type, written behind its name: `worker.stop-seconds`.
const OF_A_TYPE: &[Setting] = &[
    setting("drain-seconds", "drain_seconds", Shape::Number, "time for last requests"),
    setting("stop-seconds", "stop_seconds", Shape::Number, "time from SIGTERM to SIGKILL"),
    setting("overlap", "overlap", Shape::Switch, "new ones start beside old ones"),
];

/// Returns the setting with this name.
pub(crate) fn find(name: &str) -> Option<Setting> {
    match name.split_once('.') {
        None => SETTINGS.iter().find(|setting| setting.name == name).cloned(),
        Some((process, field)) => {
            of_type(process).find(|setting| setting.name.ends_with(&format!(".{field}")))
        }
    }
}

/// Returns the settings of one process type.
pub(crate) fn of_type(process: &str) -> impl Iterator<Item = Setting> {
    OF_A_TYPE.iter().map(move |own| Setting {
        name: format!("{process}.{}", own.name).into(),
        pointer: format!("/processes/{process}/{}", own.pointer).into(),
        ..own.clone()
    })
}

/// Returns the name that was probably meant: misspelt, or written as the API has it.
pub(crate) fn meant(name: &str) -> Option<String> {
    let process = name.split_once('.').map(|(process, _)| process);
    let own: Vec<_> = process.into_iter().flat_map(of_type).collect();
    let all = || own.iter().chain(SETTINGS);
    let plain = |text: &str| text.trim_start_matches('/').to_ascii_lowercase().replace(['_', '/', '.'], "-");
    let wanted = plain(name);
    let same = |setting: &&Setting| [&setting.name, &setting.pointer].iter().any(|own| plain(own) == wanted);
    let near = || wording::did_you_mean(name, all().map(|setting| &*setting.name)).map(str::to_owned);
    let part = || all().find(|setting| wanted.len() > 3 && setting.name.contains(&wanted));
    let found = all().find(same).map(|setting| setting.name.to_string()).or_else(near);
    found.or_else(|| part().map(|setting| setting.name.to_string()))
}

impl Setting {
    /// Returns the process type that it is of, if it is not the app's.
    pub(crate) fn process(&self) -> Option<&str> {
        self.name.split_once('.').map(|(process, _)| process)
    }

    /// Returns the value as the API takes it.
    ///
    /// # Errors
    /// A sentence on what is wrong.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        match self.shape {
            Shape::List => {
                Ok(json!(text.split(',').map(str::trim).filter(|w| !w.is_empty()).collect::<Vec<_>>()))
            }
            _ if text.is_empty() => Ok(Value::Null),
            Shape::Text => Ok(json!(text)),
            Shape::Switch => match text {
                "on" => Ok(json!(true)),
                "off" => Ok(json!(false)),
                _ => Err(format!("{} is `on` or `off`, not `{}`", self.name, text.escape_debug())),
            },
            Shape::Number => self.number(text).map(|number| json!(number)),
        }
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let number = text.parse::<u32>().ok();
        let (range, unit) = bounds(&self.pointer)
            .map_or((0..=u32::MAX, "of a whole"), |(_, range, unit)| (range.clone(), *unit));
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let (name, least, most) = (&self.name, range.start(), range.end());
            format!("{name} is a number of {unit} from {least} to {most}, not `{}`", wording::plain(text, 60))
        })
    }

    /// Returns the value as users see it, and says if that is the default.
    pub(crate) fn shown(&self, settings: &Value) -> String {
        let given = settings.pointer(&self.pointer).unwrap_or(&Value::Null);
        let usual = settings["defaults"].pointer(&self.pointer).unwrap_or(&Value::Null);
        if !given.is_null() && given != usual {
            return words(given);
        }
        let value = if given.is_null() { self.unset(settings) } else { words(given) };
        format!("{value} (default)").trim_start().to_owned()
    }

    fn unset(&self, settings: &Value) -> String {
        let name = self.name.rsplit('.').next().unwrap_or_default();
        let unset = UNSET.iter().find(|(known, _)| *known == name).map_or("", |(_, unset)| unset);
        if unset.starts_with('/') {
            settings.pointer(unset).map(words).unwrap_or_default()
        } else {
            unset.to_owned()
        }
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(words) if words.is_empty() => "detection".to_owned(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_one_that_the_model_knows() {
        let defaults = serde_json::to_value(model::app::AppSettings::default()).unwrap();
        for setting in SETTINGS {
            assert!(defaults.pointer(&setting.pointer).is_some(), "{}", setting.name);
        }
        let of_a_type = serde_json::to_value(model::app::ProcessSettings::default()).unwrap();
        for setting in OF_A_TYPE {
            assert!(of_a_type.get(&*setting.pointer).is_some(), "{}", setting.name);
        }
    }

    #[test]
    fn every_setting_of_the_model_can_be_set() {
        let all = serde_json::to_value(model::app::AppSettings::default()).unwrap();
        let health = all["health"].as_object().unwrap().keys().map(|name| format!("/health/{name}"));
        for pointer in all.as_object().unwrap().keys().map(|name| format!("/{name}")).chain(health) {
            // The first two are made of others; the last has a command of its own.
            let elsewhere = ["/health", "/processes", "/maintenance"].contains(&pointer.as_str());
            assert!(elsewhere || SETTINGS.iter().any(|setting| setting.pointer == pointer), "{pointer}");
        }
    }

    #[test]
    fn a_number_outside_its_bounds_is_told_with_them() {
        for text in ["0", "3601", "-1", "soon", "99999999999"] {
            let told = find("boot-seconds").unwrap().parse(text).unwrap_err();
            assert_eq!(told, format!("boot-seconds is a number of seconds from 1 to 3600, not `{text}`"));
        }
        assert!(find("worker.stop-seconds").unwrap().parse("3601").unwrap_err().contains("0 to 3600"));
        assert_eq!(find("connection-limit").unwrap().parse(""), Ok(Value::Null));
    }

    #[test]
    fn a_name_of_the_api_or_part_of_one_is_understood() {
        for (given, name) in [
            ("sticky_sessions", "sticky-sessions"),
            ("health.path", "health-path"),
            ("health.boot_seconds", "boot-seconds"),
            ("helth-path", "health-path"),
            ("timeout", "health-timeout-seconds"),
            ("worker.stop_seconds", "worker.stop-seconds"),
            ("worker.overlpa", "worker.overlap"),
        ] {
            assert_eq!(meant(given).as_deref(), Some(name), "{given}");
        }
        assert_eq!(meant("quux"), None);
    }

    #[test]
    fn a_type_has_settings_of_its_own() {
        let overlap = find("worker.overlap").unwrap();
        assert_eq!(overlap.pointer, "/processes/worker/overlap");
        assert_eq!(overlap.parse("off"), Ok(json!(false)));
        assert!(overlap.parse("no").unwrap_err().contains("`on` or `off`"));
        assert_eq!(overlap.shown(&json!({"processes": {"worker": {"overlap": false}}})), "off");
        assert!(find("worker.health-path").is_none());
    }
}
