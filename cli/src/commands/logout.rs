//! `logout`: forgets what `login` kept.

use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Result;

/// Forget the kept token
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl logout
  Forgot the token of http://127.0.0.1:5000
  It still works elsewhere; `paasctl tokens:revoke` would have ended it.")]
pub(crate) struct Logout {}

impl Logout {
    /// Removes the config file.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        // An unreadable file is removed all the same.
        let of = Credentials::stored()
            .ok()
            .flatten()
            .map(|stored| format!(" of {}", stored.url))
            .unwrap_or_default();
        if Credentials::forget()? {
            context.screen.say(&format!("Forgot the token{of}"));
            context.screen.say("It still works elsewhere; `paasctl tokens:revoke` would have ended it.");
        } else {
            context.screen.say("No token is kept.");
        }
        Ok(())
    }
}
