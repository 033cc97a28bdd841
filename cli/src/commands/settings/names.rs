//! The settings by the names that users write, and where the API keeps them.

use std::borrow::Cow;

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

/// All settings that users may change.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("deploy-branch", "/deploy_branch", Shape::Text, "the branch whose push deploys"),
    setting("health-path", "/health/path", Shape::Text, "the path that health checks ask for"),
    setting("boot-seconds", "/health/boot_seconds", Shape::Number, "time until first healthy"),
    setting("health-timeout-seconds", "/health/timeout_seconds", Shape::Number, "time for one answer"),
    setting("settle-ms", "/health/settle_ms", Shape::Number, "uptime that counts without a port"),
    setting("rollout-seconds", "/rollout_seconds", Shape::Number, "time for a whole rollout"),
    setting("release-command-seconds", "/release_command_seconds", Shape::Number, "time for `release:`"),
    setting("watch-seconds", "/watch_seconds", Shape::Number, "time a new release is watched for"),
    setting("drain-seconds", "/drain_seconds", Shape::Number, "time for last requests"),
    setting("stop-seconds", "/stop_seconds", Shape::Number, "time from SIGTERM to SIGKILL"),
    setting("build-seconds", "/build_seconds", Shape::Number, "time for a build"),
    setting("buildpacks", "/buildpacks", Shape::List, "used instead of detection"),
];

/// All settings of one process type, written behind its name: `worker.stop-seconds`.
const OF_A_TYPE: &[Setting] = &[
    setting("drain-seconds", "drain_seconds", Shape::Number, "time for last requests"),
    setting("stop-seconds", "stop_seconds", Shape::Number, "time from SIGTERM to SIGKILL"),
    setting("overlap", "overlap", Shape::Switch, "whether new ones start beside old ones"),
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

/// Returns all names, for a setting that nearly has this one.
pub(crate) fn names_near(name: &str) -> Vec<String> {
    let process = name.split_once('.').map(|(process, _)| process);
    let own = process.into_iter().flat_map(of_type).map(|setting| setting.name.into_owned());
    own.chain(SETTINGS.iter().map(|setting| setting.name.clone().into_owned())).collect()
}

impl Setting {
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
            Shape::Number => text
                .parse::<u32>()
                .map(|number| json!(number))
                .map_err(|_| format!("{} takes a whole number, not `{}`", self.name, text.escape_debug())),
        }
    }

    /// Returns the value as users see it.
    pub(crate) fn shown(&self, settings: &Value) -> String {
        match settings.pointer(&self.pointer) {
            None | Some(Value::Null) => "(default)".to_owned(),
            Some(Value::Bool(on)) => if *on { "on" } else { "off" }.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(words)) if words.is_empty() => "(detection)".to_owned(),
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            Some(other) => other.to_string(),
        }
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
    fn a_type_has_settings_of_its_own() {
        let overlap = find("worker.overlap").unwrap();
        assert_eq!(overlap.pointer, "/processes/worker/overlap");
        assert_eq!(overlap.parse("off"), Ok(json!(false)));
        assert!(overlap.parse("no").unwrap_err().contains("`on` or `off`"));
        assert_eq!(overlap.shown(&json!({"processes": {"worker": {"overlap": false}}})), "off");
        assert!(find("worker.health-path").is_none());
    }
}
