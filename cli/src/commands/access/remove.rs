//! `access:remove`: a user no longer works with an app.

use crate::api::segment;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Take an app away from a user
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl access:remove bob@example.com -a shop
  bob@example.com may no longer work with shop.")]
pub(crate) struct Remove {
    /// The user's email
    email: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Remove {
    /// Removes the user.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let removed = api.delete(&format!("/apps/{app}/collaborators/{}", segment(&self.email)))?.body;
        context.screen.say(&format!("{} may no longer work with {app}.", self.email));
        self.json.print(context, &removed)
    }
}
