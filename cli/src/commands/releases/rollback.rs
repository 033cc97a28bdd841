//! `releases:rollback`: the slug and config of an older release as a new one, through the same rollout.

use model::name::AppName;
use model::release::Version;
use serde_json::{Value, json};

use super::find::find;
use crate::api::release::Release;
use crate::api::{Api, read};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};
use crate::rollout::{self, Superseded};
use crate::when;

/// Go back to the slug and config of an older release, and wait until it serves
///
/// Nothing is built. The formation stays as it is: a rollback never changes the scale.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:rollback v41 -a shop
  Rolling shop back to v41 (Deploy 1c2d3e4f, 2 h ago) as v43.
    web.1 of v43 is healthy
  Done in 0.9 s.")]
pub(crate) struct Rollback {
    /// Such as v41; without one, the last good one before the current
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
        let target: Release = match self.version {
            Some(version) => read(&find(&api, &app, Some(version))?)?,
            None => last_good(&api, &app)?,
        };
        let answer = api.post(&format!("/apps/{app}/releases"), &json!({ "release": target.id }))?;
        let release: Release = read(&answer.body)?;
        let made = when::ago(&context.screen, target.created_at);
        let described: Vec<_> =
            target.description.into_iter().chain([made]).filter(|t| !t.is_empty()).collect();
        let described =
            if described.is_empty() { String::new() } else { format!(" ({})", described.join(", ")) };
        context
            .screen
            .say(&format!("Rolling {app} back to {}{described} as {}.", target.version, release.version));
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

fn last_good(api: &Api, app: &AppName) -> Result<Release> {
    let newest = api.newest(&format!("/apps/{app}/releases"), "version", 100)?;
    choose(&newest)?.ok_or_else(|| {
        Error::failed(format!("{app} has no earlier release to roll back to"))
            .hint(format!("`paasctl releases -a {app}` lists its releases."))
    })
}

/// Returns the newest release before the current one that can be rolled back to and did not fail.
fn choose(newest_first: &Value) -> Result<Option<Release>> {
    let releases: Vec<Release> = read(newest_first)?;
    let current =
        releases.iter().find(|release| release.current).map_or(Version(u64::MAX), |release| release.version);
    Ok(releases.into_iter().find(|release| {
        release.eligible_for_rollback && release.version < current && release.status != "failed"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_number_it_is_the_last_good_one_before_the_current() {
        let release = |version: u64, status: &str, current: bool| {
            let eligible = status == "succeeded";
            json!({"id": format!("id{version}"), "version": version, "status": status, "current": current,
                   "eligible_for_rollback": eligible})
        };
        let list = json!([
            release(9, "failed", false),
            release(8, "succeeded", true),
            release(7, "failed", false),
            release(6, "succeeded", false),
        ]);
        assert_eq!(choose(&list).unwrap().unwrap().version, Version(6));
        assert!(choose(&json!([release(1, "succeeded", true)])).unwrap().is_none());
    }
}
