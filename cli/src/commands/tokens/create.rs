//! `tokens:create`: makes a token and shows it this one time.

use jiff::SignedDuration;
use model::access::Scope;
use serde_json::json;

use super::list::ends;
use crate::api::access::Authorization;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::when::parse_duration;

/// Create a token; it is shown this one time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl tokens:create --scope read --expires 30d --description monitoring
  Created a token for monitoring: read, ends in 30 days. It is shown only now.
  …")]
pub(crate) struct Create {
    /// What it may do: read, write or admin
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,

    /// When it ends, such as 12h, 30d or 4w; otherwise never
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expires: Option<SignedDuration>,

    /// What it is for
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,

    /// For another user (administrators only)
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,

    #[command(flatten)]
    json: JsonOption,
}

impl Create {
    /// Makes it and prints it alone on stdout.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut body = json!({});
        if let Some(scope) = self.scope {
            body["scope"] = json!([scope.as_str()]);
        }
        if let Some(expires) = self.expires {
            body["expires_in"] = json!(expires.as_secs());
        }
        if let Some(user) = &self.user {
            body["user"] = json!(user);
        }
        if let Some(description) = &self.description {
            body["description"] = json!(description);
        }
        let body = context.api()?.post("/oauth/authorizations", &body)?.body;
        let made: Authorization = read(&body)?;
        let purpose = self.description.as_ref().map(|what| format!(" for {what}")).unwrap_or_default();
        let scope = made.scope.join(", ");
        let until = ends(&context.screen, &made);
        let until = if until == "never" { "never ends".to_owned() } else { format!("ends {until}") };
        context.screen.say(&format!("Created a token{purpose}: {scope}, {until}. It is shown only now."));
        if self.json.json {
            return context.screen.json(&body);
        }
        let token = made.access_token.and_then(|access| access.token);
        context.screen.print(&token.ok_or_else(|| Error::failed("the server's answer holds no token"))?)
    }
}
