//! `version`: the versions of this tool and of the server.

use serde_json::json;

use crate::api::platform::Platform;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Show the versions of paasctl and of the server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl version
  paasctl 0.1.0
  paasd 0.1.0 at http://127.0.0.1:5000")]
pub(crate) struct Version {
    #[command(flatten)]
    json: JsonOption,
}

impl Version {
    /// Prints ours, and the server's if there is one that answers.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let ours = env!("CARGO_PKG_VERSION");
        let theirs =
            context.api().and_then(|api| read::<Platform>(&api.get("/platform")?)).map(|p| p.version);
        if self.json.json {
            return context.screen.json(&json!({ "paasctl": ours, "paasd": theirs.ok() }));
        }
        context.screen.print(&format!("paasctl {ours}"))?;
        match (theirs, context.credentials()) {
            (Ok(theirs), Ok(credentials)) => {
                context.screen.print(&format!("paasd {theirs} at {}", credentials.url))
            }
            (Err(error), Ok(_)) => {
                context.screen.say(&error.message);
                Ok(())
            }
            (_, Err(_)) => Ok(()),
        }
    }
}
