//! `ps:restart`: fresh replicas of the same release, one after the other in the place of the old ones.

use super::target::Target;
use crate::context::{AppOption, Context};
use crate::error::Result;
use crate::rollout::{self, Superseded};

/// Restart replicas without a gap, and wait until the new ones are healthy
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
}

impl Restart {
    /// Asks for it and follows it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let path =
            self.target.as_ref().map_or_else(|| format!("/apps/{app}/dynos"), |target| target.path(&app));
        let answer = api.delete(&path)?;
        let what = self.target.as_ref().map(|target| format!("{target} of ")).unwrap_or_default();
        context.screen.say(&format!("Restarting {what}{app}."));
        let operation = answer.operation.or_else(|| answer.body["operation"].as_str().map(str::to_owned));
        match operation {
            Some(operation) if !self.no_wait => {
                rollout::follow(&context.screen, &api, &app, &operation, Superseded::Follow)
            }
            Some(_) => {
                context.screen.say(&format!("`paasctl ps -a {app}` shows how far it is."));
                Ok(())
            }
            None => {
                context.screen.say("Nothing runs that could be restarted.");
                Ok(())
            }
        }
    }
}
