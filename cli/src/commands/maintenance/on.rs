//! `maintenance:on`.

use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Show visitors a maintenance page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl maintenance:on -a shop
  Visitors of shop get the maintenance page; its replicas go on running.")]
pub(crate) struct On {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl On {
    /// Turns it on.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        super::switch::switch(context, &self.app, self.json, true)
    }
}
