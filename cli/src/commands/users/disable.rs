//! `users:disable`: somebody may do nothing any more.

use crate::api::segment;
use crate::context::Context;
use crate::error::Result;

/// Disable a user with all their tokens (administrators only)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl users:disable bob@example.com
  bob@example.com may do nothing any more; their apps go on running.")]
pub(crate) struct Disable {
    /// The user's email
    email: String,
}

impl Disable {
    /// Disables the user.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        context.api()?.delete(&format!("/users/{}", segment(&self.email)))?;
        context.screen.say(&format!("{} may do nothing any more; their apps go on running.", self.email));
        Ok(())
    }
}
