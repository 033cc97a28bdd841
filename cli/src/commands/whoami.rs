//! `whoami`: whom the token belongs to.

use serde_json::Value;

use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Show who you are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl whoami
  ada@example.com")]
pub(crate) struct Whoami {
    #[command(flatten)]
    json: JsonOption,
}

impl Whoami {
    /// Prints the email on stdout, server and scope on stderr.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let credentials = context.credentials()?;
        let body: Value = context.api()?.get("/account")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let email =
            body["email"].as_str().ok_or_else(|| Error::failed("the server does not know who this is"))?;
        let scope = body["scope"].as_str().map(|scope| format!(", scope {scope}")).unwrap_or_default();
        context.screen.print(email)?;
        context.screen.say(&format!("at {}{scope}", credentials.url));
        Ok(())
    }
}
