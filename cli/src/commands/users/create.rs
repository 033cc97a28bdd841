//! `users:create`: lets somebody use the platform.

use model::access::Scope;
use serde_json::json;

use crate::api::access::User;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Create a user (administrators only)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl users:create bob@example.com --scope write
  Created bob@example.com
  Next: `paasctl tokens:create --user bob@example.com` makes the first token.")]
pub(crate) struct Create {
    /// The user's email
    email: String,

    /// What the user may do at most: read, write or admin
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,

    #[command(flatten)]
    json: JsonOption,
}

impl Create {
    /// Makes the user; a token is another step.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut body = json!({ "email": self.email });
        if let Some(scope) = self.scope {
            body["scope"] = json!(scope.as_str());
        }
        let body = context.api()?.post("/users", &body)?.body;
        let user: User = read(&body)?;
        let email = user.email;
        context.screen.say(&format!("Created {email}"));
        context.screen.say(&format!("Next: `paasctl tokens:create --user {email}` makes the first token."));
        if self.json.json { context.screen.json(&body) } else { Ok(()) }
    }
}
