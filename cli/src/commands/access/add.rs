//! `access:add`: lets a user work with an app.

use model::access::Scope;
use serde_json::json;

use crate::context::{AppOption, Context, JsonOption};
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

    /// read: look at it; write: change it too
    #[arg(long, value_name = "SCOPE", default_value = "write")]
    scope: Scope,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Add {
    /// Adds the user.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = json!({ "user": self.email, "scope": self.scope, "silent": true });
        let made = api.post(&format!("/apps/{app}/collaborators"), &body)?.body;
        let may = if self.scope == Scope::Read { "look at" } else { "work with" };
        context.screen.say(&format!("{} may {may} {app} now.", self.email));
        self.json.print(context, &made)
    }
}
