//! `builds:cancel`: stops a build that waits or runs.

use std::time::Duration;

use model::name::AppName;
use serde_json::{Value, json};

use super::find;
use crate::api::build::Build;
use crate::api::operation::Operation;
use crate::api::{Api, read, segment, short_id};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};
use crate::wait;

/// As long as a build may take to end its processes.
const LIMIT: Duration = Duration::from_secs(60);

/// Cancel a build; what serves is not touched
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl builds:cancel -a shop
  Cancelled build 0190a1b2-c3d4")]
pub(crate) struct Cancel {
    /// The beginning of its id; without one, the oldest that has not ended
    build: Option<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Cancel {
    /// Asks for it and waits until the build has ended.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let id = match &self.build {
            Some(start) => find::id(&api, &app, Some(start))?,
            None => open_build(&api, &app)?,
        };
        let path = format!("/apps/{app}/builds/{}", segment(&id));
        api.post(&format!("{path}/actions/cancel"), &json!({}))?;
        let mut shown = Value::Null;
        let ended = wait::until(&context.screen, LIMIT, || {
            shown = api.get(&path)?;
            let build: Build = read(&shown)?;
            Ok((!build.is_open()).then_some(build.state))
        })?;
        let short = short_id(&id);
        match ended.as_deref() {
            Some("cancelled") => context.screen.say(&format!("Cancelled build {short}")),
            Some(state) => {
                return Err(Error::failed(format!("build {short} {state} before it could be cancelled")));
            }
            None => context
                .screen
                .say(&format!("Build {short} is still ending; `paasctl builds -a {app}` shows it.")),
        }
        self.json.print(context, &shown)
    }
}

fn open_build(api: &Api, app: &AppName) -> Result<String> {
    let builds: Vec<Build> = read(&find::newest(api, app, 100)?)?;
    let open = builds.into_iter().rev().find(Build::is_open);
    if let Some(open) = open {
        return Ok(open.id);
    }
    let rollouts: Vec<Operation> = read(&api.get(&format!("/apps/{app}/operations?state=active"))?)?;
    let version = rollouts.first().and_then(|rollout| rollout.release.as_ref()?.version);
    Err(Error::failed(format!("no build of {app} is under way")).hint(match version {
        Some(version) => {
            format!("{version} is being rolled out: `paasctl releases:cancel -a {app}` cancels that.")
        }
        None => format!("`paasctl builds -a {app}` lists all."),
    }))
}
