//! `doctor`: checks the way from here to running apps, link by link, and says what to do about each that is broken.

mod backups;
mod finding;
mod here;
mod server;
mod tls;

use finding::{Finding, State};
use serde_json::Value;

use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Check server, token, disk and git, and say what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl doctor
  ok    server    http://127.0.0.1:5000 answers, version 0.1.0
  ok    token     of admin@localhost
  care  engine    sandbox: memory limits are not enforced without cgroups
  ok    disk      12.0 GB of 40.0 GB free
  ok    git       2.39.5
  care  remote    this repository has no remote `paas`
        `paasctl apps:create NAME` makes an app and adds it.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    json: JsonOption,
}

impl Doctor {
    /// Prints a line for each check; fails if one did.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut findings = server::findings(context);
        findings.extend(here::findings(context));
        if self.json.json {
            context.screen.json(&Value::Array(findings.iter().map(Finding::json).collect()))?;
        } else {
            let lines: Vec<_> = findings.iter().map(|finding| finding.text(&context.screen)).collect();
            context.screen.print(&lines.join("\n"))?;
        }
        match findings.iter().filter(|finding| finding.state == State::Failed).count() {
            0 => Ok(()),
            failed => Err(Error::failed(format!("{} failed", model::wording::count(failed, "check")))),
        }
    }
}
