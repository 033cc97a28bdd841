//! `hosts:resume`: a host that was drained takes replicas again.

use serde_json::json;

use super::path;
use crate::api::host::Host;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Let a host take replicas again (administrators only)
///
/// Nothing moves there for that; what is made from now on may.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:resume app-2
  app-2 takes replicas again.")]
pub(crate) struct Resume {
    /// Its name
    host: String,

    #[command(flatten)]
    json: JsonOption,
}

impl Resume {
    /// Resumes it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = context.api()?.post(&format!("{}/actions/resume", path(&self.host)), &json!({}))?.body;
        let host: Host = read(&body)?;
        context.screen.say(&match host.state.as_str() {
            "ready" => format!("{} takes replicas again.", host.name),
            state => format!("{} takes replicas again once it is heard of; it is {state}.", host.name),
        });
        self.json.print(context, &body)
    }
}
