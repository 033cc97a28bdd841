//! `users:disable`: somebody may do nothing any more.

use crate::api::segment;
use crate::context::{Context, JsonOption};
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

    #[command(flatten)]
    json: JsonOption,
}

impl Disable {
    /// Disables the user.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let disabled = context.api()?.delete(&format!("/users/{}", segment(&self.email)))?.body;
        context.screen.say(&format!("{} may do nothing any more; their apps go on running.", self.email));
        self.json.print(context, &disabled)
    }
}
