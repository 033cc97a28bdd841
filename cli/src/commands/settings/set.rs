//! `settings:set`: changes settings, several at once.

use model::wording;
use serde_json::{Map, Value};

use super::names::{SETTINGS, Setting};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Change settings of an app; an empty value brings the default back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl settings:set health-path=/healthz drain-seconds=60 -a shop
  shop: health-path is /healthz, drain-seconds is 60.")]
pub(crate) struct Set {
    /// Such as `deploy-branch=main`; `paasctl settings` lists the names
    #[arg(required = true, value_name = "NAME=VALUE")]
    settings: Vec<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Set {
    /// Sends all changes as one.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let wishes: Vec<_> = self.settings.iter().map(|text| wish(text)).collect::<Result<_>>()?;
        let (api, app) = context.api_and_app(&self.app)?;
        let path = format!("/apps/{app}/settings");
        let patch = patch(&api.get(&path)?, &wishes);
        let body = api.patch(&path, &patch)?.body;
        let shown = wishes.iter().map(|(setting, _)| format!("{} is {}", setting.name, setting.shown(&body)));
        context.screen.say(&format!("{app}: {}.", shown.collect::<Vec<_>>().join(", ")));
        if self.json.json { context.screen.json(&body) } else { Ok(()) }
    }
}

fn wish(text: &str) -> Result<(&'static Setting, Value)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if !text.contains('=') {
        return Err(Error::usage(format!("`{}` has no `=`", wording::plain(name, 60)))
            .hint("Write `paasctl settings:set health-path=/healthz`."));
    }
    let setting = SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| {
        let error = Error::usage(format!("there is no setting `{}`", wording::plain(name, 60)));
        match wording::did_you_mean(name, SETTINGS.iter().map(|setting| setting.name)) {
            Some(near) => error.hint(format!("Did you mean `{near}`? `paasctl settings` lists all of them.")),
            None => error.hint("`paasctl settings` lists all of them."),
        }
    })?;
    Ok((setting, setting.parse(value).map_err(Error::usage)?))
}

/// Returns what to send: nested groups go whole, so that a server that replaces them loses nothing.
fn patch(present: &Value, wishes: &[(&Setting, Value)]) -> Value {
    let mut patch = Map::new();
    for (setting, value) in wishes {
        let mut path = setting.pointer.trim_start_matches('/').splitn(2, '/');
        let (Some(first), second) = (path.next(), path.next()) else { continue };
        let Some(second) = second else {
            patch.insert(first.to_owned(), value.clone());
            continue;
        };
        let group = patch.entry(first).or_insert_with(|| present[first].clone());
        if let Some(group) = group.as_object_mut() {
            // An absent member has its default.
            if value.is_null() {
                drop(group.remove(second))
            } else {
                drop(group.insert(second.into(), value.clone()))
            }
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_sent_whole_with_only_the_wished_member_changed() {
        let present = json!({"health": {"path": "/", "boot_seconds": 60}, "drain_seconds": 30});
        let wishes = [wish("health-path=/up").unwrap(), wish("deploy-branch=").unwrap()];
        let expected = json!({"health": {"path": "/up", "boot_seconds": 60}, "deploy_branch": null});
        assert_eq!(patch(&present, &wishes), expected);
    }

    #[test]
    fn an_unknown_setting_is_told_with_its_neighbour() {
        let error = wish("health-pth=/up").unwrap_err();
        assert!(error.hint.unwrap().contains("health-path"));
        assert_eq!(wish("drain-seconds=soon").unwrap_err().exit_status(), 2);
    }
}
