//! `access:add`: lets a user work with an app.

use serde_json::json;

use crate::context::{AppOption, Context};
use crate::error::Result;

/// Let a user work with an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl access:add bob@example.com -a shop
  bob@example.com may work with shop now.")]
pub(crate) struct Add {
    /// The user's email
    email: String,

    #[command(flatten)]
    app: AppOption,
}

impl Add {
    /// Adds the user.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        api.post(&format!("/apps/{app}/collaborators"), &json!({ "user": self.email, "silent": true }))?;
        context.screen.say(&format!("{} may work with {app} now.", self.email));
        Ok(())
    }
}
