//! `ps:restart`: fresh replicas of the same release, one after the other in the place of the old ones.

use model::name::AppName;

use super::target::Target;
use super::watch::{self, Goal};
use crate::api::process::{Dyno, FormationEntry};
use crate::api::{Api, read};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::rollout::{self, Superseded};

/// Restart replicas without a gap
///
/// New ones start and become healthy before the old ones leave.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl ps:restart web -a shop
  Restarting all of web of shop.
    web.1 is healthy
  Done in 1.2 s.")]
pub(crate) struct Restart {
    /// web or web.1; without one, all
    #[arg(value_name = "TYPE|REPLICA")]
    target: Option<Target>,

    /// Do not wait until it is done
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Restart {
    /// Asks for it and follows it: as an operation if all restart, otherwise by looking at the replicas.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let goal = match &self.target {
            Some(target) => goal(&api, &app, target)?,
            None => Goal::default(),
        };
        let path =
            self.target.as_ref().map_or_else(|| format!("/apps/{app}/dynos"), |target| target.path(&app));
        let answer = api.delete(&path)?;
        let what = self.target.as_ref().map(|target| format!("{target} of ")).unwrap_or_default();
        context.screen.say(&format!("Restarting {what}{app}."));
        let operation =
            answer.operation.clone().or_else(|| answer.body["operation"].as_str().map(str::to_owned));
        match operation {
            _ if self.no_wait => context.screen.say(&format!("`paasctl ps -a {app}` shows how far it is.")),
            Some(operation) => rollout::follow(&context.screen, &api, &app, &operation, Superseded::Follow)?,
            None if goal.leaving.is_empty() => context.screen.say("Nothing runs that could be restarted."),
            None => watch::until_observed(&context.screen, &api, &app, &goal)?,
        }
        self.json.print(context, &answer.body)
    }
}

/// Returns that the replicas of now are gone and as many others healthy in their place.
fn goal(api: &Api, app: &AppName, target: &Target) -> Result<Goal> {
    let mut dynos: Vec<Dyno> = read(&api.all(&format!("/apps/{app}/dynos"))?)?;
    dynos.retain(|dyno| target.holds(dyno));
    let entries: Vec<FormationEntry> = read(&api.all(&format!("/apps/{app}/formation"))?)?;
    let concerned = entries.into_iter().filter(|entry| dynos.iter().any(|dyno| dyno.r#type == entry.r#type));
    let wanted = concerned.map(|entry| (entry.r#type, entry.quantity)).collect();
    Ok(Goal { wanted, leaving: dynos.into_iter().map(|dyno| dyno.id).collect() })
}
