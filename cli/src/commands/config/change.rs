//! Sends changes of config vars as one release and follows its rollout.

use std::collections::BTreeMap;

use model::config::ConfigValue;
use model::name::AppName;
use model::release::Version;
use serde_json::{Map, Value};

use crate::api::{Api, read};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::rollout::{self, Superseded};

/// Changes that the server has taken.
pub(super) struct Sent {
    api: Api,
    app: AppName,
    changes: Map<String, Value>,
    operation: Option<String>,
    release: Option<Version>,
}

/// Sends the changes (`null` removes a var) and says which release they became.
///
/// # Errors
/// The server refuses them or does not answer.
pub(super) fn send(
    context: &Context,
    app: &AppOption,
    changes: Map<String, Value>,
    verb: (&str, &str),
) -> Result<Sent> {
    let (api, app) = context.api_and_app(app)?;
    let answer = api.patch(&format!("/apps/{app}/config-vars"), &Value::Object(changes.clone()))?;
    let names = changes.keys().cloned().collect::<Vec<_>>().join(", ");
    context.screen.say(&match answer.release {
        Some(version) => format!("{} {names} {} {app}: {version}.", verb.0, verb.1),
        None => format!("Nothing changed: {app} had it so already."),
    });
    Ok(Sent { api, app, changes, operation: answer.operation, release: answer.release })
}

impl Sent {
    /// Waits for the rollout, if wanted, and shows the release that was made: as data, `null` if none was.
    ///
    /// # Errors
    /// The changes do not serve in the end.
    pub(super) fn follow(self, context: &Context, wait: bool, json: JsonOption) -> Result<()> {
        let Self { api, app, changes, operation, release } = self;
        let screen = &context.screen;
        match operation {
            Some(operation) if wait => {
                let holds = |version| holds(&api, &app, version, &changes);
                rollout::follow(screen, &api, &app, &operation, Superseded::FollowIf(&holds))?;
            }
            Some(_) => {
                screen.say(&format!("The rollout goes on; `paasctl ps -a {app}` shows how far it is."));
            }
            None => {}
        }
        match release {
            Some(version) if json.json => {
                screen.json(&api.get(&format!("/apps/{app}/releases/{}", version.0))?)
            }
            _ => json.print(context, &Value::Null),
        }
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
