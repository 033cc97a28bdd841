//! Sends changes of config vars as one release and follows its rollout.

use std::collections::BTreeMap;

use model::config::ConfigValue;
use model::name::AppName;
use model::release::Version;
use serde_json::{Map, Value};

use crate::api::release::Release;
use crate::api::{Api, read};
use crate::context::{AppOption, Context};
use crate::error::Result;
use crate::rollout::{self, Superseded};

/// Sends the changes (`null` removes a var) and waits for the rollout, if wanted.
pub(super) fn send(
    context: &Context,
    app: &AppOption,
    changes: Map<String, Value>,
    verb: (&str, &str),
    wait: bool,
) -> Result<()> {
    let (api, app) = context.api_and_app(app)?;
    let names = changes.keys().cloned().collect::<Vec<_>>().join(", ");
    let before = newest_version(&api, &app)?;
    let answer = api.patch(&format!("/apps/{app}/config-vars"), &Value::Object(changes.clone()))?;
    let after = newest_version(&api, &app)?;
    let screen = &context.screen;
    match after {
        Some(version) if after != before => {
            screen.say(&format!("{} {names} {} {app}: {version}.", verb.0, verb.1))
        }
        _ => {
            screen.say(&format!("Nothing changed: {app} had it so already."));
            return Ok(());
        }
    }
    match answer.operation {
        Some(operation) if wait => {
            let holds = |version| holds(&api, &app, version, &changes);
            rollout::follow(screen, &api, &app, &operation, Superseded::FollowIf(&holds))
        }
        Some(_) => {
            screen.say(&format!("The rollout goes on; `paasctl ps -a {app}` shows how far it is."));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Tells whether a release has the config vars as they were asked for: a later change keeps them, a rollback may not.
fn holds(api: &Api, app: &AppName, version: Version, changes: &Map<String, Value>) -> Result<bool> {
    let vars: BTreeMap<String, ConfigValue> =
        read(&api.get(&format!("/apps/{app}/releases/{}/config-vars", version.0))?)?;
    let is_so = |(key, wanted): (&String, &Value)| {
        let wanted = read::<Option<ConfigValue>>(wanted)?;
        Ok(vars.get(key) == wanted.as_ref())
    };
    changes.iter().map(is_so).try_fold(true, |all, one: Result<bool>| Ok(all && one?))
}

fn newest_version(api: &Api, app: &AppName) -> Result<Option<Version>> {
    let newest = api.newest(&format!("/apps/{app}/releases"), "version", 1)?;
    let newest: Vec<Release> = read(&newest)?;
    Ok(newest.first().map(|release| release.version))
}
