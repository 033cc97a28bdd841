//! `hosts:remove`: a host is none any more.

use super::path;
use crate::api::host::Host;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Forget a host and its key for good (administrators only)
///
/// Refused while replicas are there, unless the host is lost.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:remove app-2
  app-2 is no host any more; its key opens nothing.")]
pub(crate) struct Remove {
    /// Its name
    host: String,

    /// Give up the replicas that are there; others start elsewhere
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Remove {
    /// Removes it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let force = if self.force { "?force=true" } else { "" };
        let body = context.api()?.delete(&format!("{}{force}", path(&self.host)))?.body;
        let host: Host = read(&body)?;
        context.screen.say(&format!("{} is no host any more; its key opens nothing.", host.name));
        self.json.print(context, &body)
    }
}
