//! `buildpacks:clear`: builds detect again.

use super::replace;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Let each build of an app detect what fits
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl buildpacks:clear -a shop
  The next push to shop detects what fits.")]
pub(crate) struct Clear {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Clear {
    /// Forgets what was set.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        replace(context, &self.app, &self.json, &[])
    }
}
