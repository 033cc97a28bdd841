//! Sends changes of config vars as one release and follows its rollout.

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
    let answer = api.patch(&format!("/apps/{app}/config-vars"), &Value::Object(changes))?;
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
        Some(operation) if wait => rollout::follow(screen, &api, &app, &operation, Superseded::Follow),
        Some(_) => {
            screen.say(&format!("The rollout goes on; `paasctl ps -a {app}` shows how far it is."));
            Ok(())
        }
        None => Ok(()),
    }
}

fn newest_version(api: &Api, app: &AppName) -> Result<Option<Version>> {
    let newest = api.newest(&format!("/apps/{app}/releases"), "version", 1)?;
    let newest: Vec<Release> = read(&newest)?;
    Ok(newest.first().map(|release| release.version))
}
