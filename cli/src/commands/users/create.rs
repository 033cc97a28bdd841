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
  Created bob@example.com. The first token is shown only now.
  …")]
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
    /// Makes the user; a first token, if the server makes one, goes alone to stdout.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut body = json!({ "email": self.email });
        if let Some(scope) = self.scope {
            body["scope"] = json!(scope.as_str());
        }
        let body = context.api()?.post("/users", &body)?.body;
        let user: User = read(&body)?;
        let token = body["access_token"]["token"].as_str().or_else(|| body["token"].as_str());
        let about_token = if token.is_some() { " The first token is shown only now." } else { "" };
        context.screen.say(&format!("Created {}.{about_token}", user.email));
        match token {
            _ if self.json.json => context.screen.json(&body),
            Some(token) => context.screen.print(token),
            None => Ok(()),
        }
    }
}
