//! `apps:destroy`: removes an app with all that belongs to it, after its name was typed once more.

use std::io::{self, BufRead, IsTerminal};

use model::name::AppName;

use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};
use crate::git;

/// Destroy an app with all that belongs to it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl apps:destroy -a shop --confirm shop
  Destroyed shop.")]
pub(crate) struct Destroy {
    #[command(flatten)]
    app: AppOption,

    /// The app's name once more, in place of the question
    #[arg(long, value_name = "APP")]
    confirm: Option<AppName>,

    #[command(flatten)]
    json: JsonOption,
}

impl Destroy {
    /// Removes the app if the name was confirmed.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let named = if self.app.app.is_none() && self.confirm.is_some() {
            AppOption { app: self.confirm.clone() }
        } else {
            self.app.clone()
        };
        let (api, name) = context.api_and_app(&named)?;
        // An unknown app is told before anybody is asked to confirm.
        api.get(&format!("/apps/{name}"))?;
        self.confirm(context, &name)?;
        let destroyed = api.delete(&format!("/apps/{name}"))?.body;
        context.screen.say(&format!("Destroyed {name}."));
        if git::app_of_remote(git::REMOTE).as_ref() == Some(&name) {
            context
                .screen
                .say("The git remote `paas` still leads there; `git remote remove paas` removes it.");
        }
        self.json.print(context, &destroyed)
    }

    fn confirm(&self, context: &Context, name: &AppName) -> Result<()> {
        let given = match &self.confirm {
            Some(given) => given.to_string(),
            None if io::stdin().is_terminal() => {
                context
                    .screen
                    .say(&format!("This removes {name} with its releases, config vars, domains and logs."));
                context.screen.say("There is no way back. Type its name to go on:");
                let mut line = String::new();
                io::stdin().lock().read_line(&mut line)?;
                line.trim().to_owned()
            }
            None => {
                let hint = format!("`paasctl apps:destroy -a {name} --confirm {name}` removes it for good.");
                return Err(Error::usage("destroying an app must be confirmed").hint(hint));
            }
        };
        if given == name.as_str() {
            return Ok(());
        }
        Err(Error::failed(format!("`{}` is not `{name}`; nothing was removed", given.escape_debug())))
    }
}
