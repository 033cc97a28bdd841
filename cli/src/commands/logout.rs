//! `logout`: forgets what `login` kept.

use serde_json::json;

use crate::context::{Context, JsonOption};
use crate::credentials::Credentials;
use crate::error::Result;

/// Forget the kept token
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl logout
  Forgot the token of http://127.0.0.1:5000
  It still works elsewhere; `paasctl tokens:revoke` would have ended it.")]
pub(crate) struct Logout {
    #[command(flatten)]
    json: JsonOption,
}

impl Logout {
    /// Removes the config file.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        // An unreadable file is removed all the same.
        let server = Credentials::stored().ok().flatten().map(|stored| stored.url.to_string());
        let of = server.as_ref().map(|url| format!(" of {url}")).unwrap_or_default();
        let forgotten = Credentials::forget()?;
        if forgotten {
            context.screen.say(&format!("Forgot the token{of}"));
            context.screen.say("It still works elsewhere; `paasctl tokens:revoke` would have ended it.");
        } else {
            context.screen.say("No token is kept.");
        }
        self.json.print(context, &json!({ "url": server, "forgotten": forgotten }))
    }
}
