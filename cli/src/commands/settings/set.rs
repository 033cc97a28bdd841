//! `settings:set`: changes settings, several at once.

use std::collections::BTreeSet;

use model::name::AppName;
use model::wording;
use serde_json::{Map, Value};

use super::names::{SETTINGS, Setting, find, meant};
use crate::api::process::FormationEntry;
use crate::api::{Api, read};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Change settings of an app
///
/// An empty value brings the default back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl settings:set health-path=/healthz drain-seconds=60 -a shop
  shop: health-path is /healthz, drain-seconds is 60.
  $ paasctl settings:set sticky-sessions=on connection-limit=500 -a shop
  shop: sticky-sessions is on, connection-limit is 500.
  $ paasctl settings:set worker.stop-seconds=600 worker.overlap=off -a shop
  shop: worker.stop-seconds is 600, worker.overlap is off.
  Old replicas of worker stop before new ones start from now on: a change of worker is not gapless.")]
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
        let body = api.patch(&path, &patch(&wishes))?.body;
        let shown = wishes.iter().map(|(setting, _)| format!("{} is {}", setting.name, setting.shown(&body)));
        context.screen.say(&format!("{app}: {}.", shown.collect::<Vec<_>>().join(", ")));
        for process in wishes.iter().filter_map(|(setting, _)| setting.process()).collect::<BTreeSet<_>>() {
            note_unknown(context, &api, &app, process)?;
        }
        for (setting, value) in &wishes {
            if setting.name.ends_with(".overlap") && *value == Value::Bool(false) {
                let process = setting.name.trim_end_matches(".overlap");
                context.screen.say(&format!(
                    "Old replicas of {process} stop before new ones start from now on: a change of {process} is not gapless."
                ));
            }
        }
        if self.json.json { context.screen.json(&body) } else { Ok(()) }
    }
}

/// Says that there is no such process type: it may come with the next deploy, or be misspelt.
fn note_unknown(context: &Context, api: &Api, app: &AppName, process: &str) -> Result<()> {
    let entries: Vec<FormationEntry> = read(&api.all(&format!("/apps/{app}/formation"))?)?;
    let types: Vec<_> = entries.iter().map(|entry| entry.r#type.as_str()).collect();
    if types.is_empty() || types.contains(&process) {
        return Ok(());
    }
    let near = wording::did_you_mean(process, types.iter().copied());
    let near = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
    context
        .screen
        .say(&format!("{app} has no process type {process} so far; it has {}.{near}", types.join(", ")));
    Ok(())
}

fn wish(text: &str) -> Result<(Setting, Value)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if !text.contains('=') {
        return Err(Error::usage(format!("`{}` has no `=`", wording::plain(name, 60)))
            .hint("Write `paasctl settings:set health-path=/healthz`."));
    }
    let setting = find(name).ok_or_else(|| {
        let error = Error::usage(format!("there is no setting `{}`", wording::plain(name, 60)));
        let names = || SETTINGS.iter().map(|setting| &*setting.name).collect::<Vec<_>>().join(", ");
        match meant(name) {
            Some(near) => error.hint(format!("Did you mean `{near}`? `paasctl settings` lists all of them.")),
            None => error.hint(format!("The settings are {}.", names())),
        }
    })?;
    let value = setting.parse(value).map_err(Error::usage)?;
    Ok((setting, value))
}

/// Returns what to send: only what was named, nested as the API has it.
fn patch(wishes: &[(Setting, Value)]) -> Value {
    let mut patch = Value::Object(Map::new());
    for (setting, value) in wishes {
        let mut place = &mut patch;
        for member in setting.pointer.trim_start_matches('/').split('/') {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[member];
        }
        *place = value.clone();
    }
    patch
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_named_is_sent_and_null_asks_for_the_default() {
        let wishes = [
            wish("health-path=/up").unwrap(),
            wish("boot-seconds=").unwrap(),
            wish("deploy-branch=").unwrap(),
            wish("worker.stop-seconds=600").unwrap(),
        ];
        let expected = json!({
            "health": {"path": "/up", "boot_seconds": null},
            "deploy_branch": null,
            "processes": {"worker": {"stop_seconds": 600}},
        });
        assert_eq!(patch(&wishes), expected);
    }

    #[test]
    fn an_unknown_setting_is_told_with_its_neighbour() {
        let error = wish("health-pth=/up").unwrap_err();
        assert!(error.hint.unwrap().contains("health-path"));
        assert_eq!(wish("drain-seconds=soon").unwrap_err().exit_status(), 2);
    }
}
