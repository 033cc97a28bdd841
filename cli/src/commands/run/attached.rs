//! `run`: a one-off process with this terminal; it says what to use until it can be done.

use crate::context::{AppOption, Context};
use crate::error::{Error, Result};

/// Run a command in this terminal (not available yet)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl run -a shop python manage.py migrate
  Error: attached `run` is not available yet
    Hint: `paasctl run:detached COMMAND` runs it and shows its log.")]
pub(crate) struct Run {
    #[command(flatten)]
    app: AppOption,

    /// The command; options go before it
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Run {
    /// Refuses and says what works.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let app = super::app_of(context, &self.app, "run", &self.command)?;
        let quoted = super::detached::command_line(&self.command)?;
        Err(Error::failed("attached `run` is not available yet").hint(format!(
            "`paasctl run:detached -a {app} --tail -- {quoted}` runs it and shows what it writes."
        )))
    }
}
