//! `run:detached`: a one-off process whose output goes to the app's log.

use serde_json::{Value, json};

use crate::api::process::Dyno;
use crate::api::read;
use crate::commands::logs;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Run a command once; its output goes to the log
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl run:detached -a shop python manage.py migrate
  Running `python manage.py migrate` on shop.
  `paasctl logs -a shop --ps run.1234 --tail` shows what it writes.
  run.1234")]
pub(crate) struct Detached {
    #[command(flatten)]
    app: AppOption,

    /// Show what it writes, until Ctrl-C
    #[arg(short, long, conflicts_with = "json")]
    tail: bool,

    #[command(flatten)]
    json: JsonOption,

    /// The command; options go before it, and several words are quoted as they are here
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Detached {
    /// Starts it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let app = super::app_of(context, &self.app, "run:detached", &self.command)?;
        let api = context.api()?;
        let command = command_line(&self.command)?;
        let body = json!({ "command": command, "attach": false, "env": {} });
        let body: Value = api.post(&format!("/apps/{app}/dynos"), &body)?.body;
        let name = read::<Dyno>(&body)?.name;
        context.screen.say(&format!("Running `{command}` on {app}."));
        if self.json.json {
            return context.screen.json(&body);
        }
        if self.tail {
            return logs::tail_of(context, &app, &name);
        }
        context.screen.say(&format!("`paasctl logs -a {app} --ps {name} --tail` shows what it writes."));
        context.screen.print(&name)
    }
}

/// Returns the words as one line for a shell; a single word is a line already.
pub(super) fn command_line(words: &[String]) -> Result<String> {
    match words {
        [line] => Ok(line.clone()),
        words => shlex::try_join(words.iter().map(String::as_str))
            .map_err(|_| Error::usage("the command holds a NUL byte")),
    }
}
