//! The settings by the names that users write, and where the API keeps them.

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
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The name users write, such as `deploy-branch`.
    pub(crate) name: &'static str,
    /// Where the API keeps it.
    pub(crate) pointer: &'static str,
    /// What values it takes.
    pub(crate) shape: Shape,
    /// What it decides.
    pub(crate) meaning: &'static str,
}

const fn setting(name: &'static str, pointer: &'static str, shape: Shape, meaning: &'static str) -> Setting {
    Setting { name, pointer, shape, meaning }
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
    setting("drain-seconds", "/drain_seconds", Shape::Number, "time for last requests"),
    setting("stop-seconds", "/stop_seconds", Shape::Number, "time from SIGTERM to SIGKILL"),
    setting("build-seconds", "/build_seconds", Shape::Number, "time for a build"),
    setting("buildpacks", "/buildpacks", Shape::List, "used instead of detection"),
];

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
            Shape::Number => text
                .parse::<u32>()
                .map(|number| json!(number))
                .map_err(|_| format!("{} takes a whole number, not `{}`", self.name, text.escape_debug())),
        }
    }

    /// Returns the value as users see it.
    pub(crate) fn shown(&self, settings: &Value) -> String {
        match settings.pointer(self.pointer) {
            None | Some(Value::Null) => "(default)".to_owned(),
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
            assert!(defaults.pointer(setting.pointer).is_some(), "{}", setting.name);
        }
    }
}
