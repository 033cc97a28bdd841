//! `buildpacks:set`: builds use these instead of detecting.

use super::replace;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Set the buildpacks of an app, instead of detection
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl buildpacks:set python -a shop
  The next push to shop builds with python.")]
pub(crate) struct Set {
    /// Their names, in the order in which they run
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Set {
    /// Replaces what was set before.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        replace(context, &self.app, &self.json, &self.names)
    }
}
