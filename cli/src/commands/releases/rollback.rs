//! `releases:rollback`: the slug and config of an older release as a new one, through the same rollout.

use model::release::Version;
use serde_json::json;

use super::find::find;
use crate::api::read;
use crate::api::release::Release;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::rollout::{self, Superseded};

/// Go back to the slug and config of an older release
///
/// It waits until the new release serves. Nothing is built. The formation stays as it is: a rollback never changes the scale.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:rollback v41 -a shop
  Rolling shop back to v41 as v43.
    web.1 of v43 is healthy
  Done in 0.9 s.")]
pub(crate) struct Rollback {
    /// Such as v41; without one, the one before what serves
    version: Option<Version>,

    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Rollback {
    /// Asks for it and follows it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let wish = match self.version {
            Some(version) => json!({ "release": find(&api, &app, Some(version))?["id"] }),
            // The server knows best what served before.
            None => json!({}),
        };
        let answer = api.post(&format!("/apps/{app}/releases"), &wish)?;
        let release: Release = read(&answer.body)?;
        let target = self.version.or(release.rollback_of).map(|to| format!(" to {to}")).unwrap_or_default();
        context.screen.say(&format!("Rolling {app} back{target} as {}.", release.version));
        match answer.operation.or(release.operation) {
            Some(operation) if !self.no_wait => {
                rollout::follow(&context.screen, &api, &app, &operation, Superseded::Fail)?;
            }
            Some(_) => context.screen.say(&format!("`paasctl releases -a {app}` shows how it went.")),
            None => {}
        }
        if !self.json.json {
            return Ok(());
        }
        context.screen.json(&find(&api, &app, Some(release.version))?)
    }
}
