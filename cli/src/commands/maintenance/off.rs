//! `maintenance:off`.

use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Show visitors the app again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl maintenance:off -a shop
  Visitors of shop get the app again.")]
pub(crate) struct Off {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Off {
    /// Turns it off.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        super::switch::switch(context, &self.app, self.json, false)
    }
}
