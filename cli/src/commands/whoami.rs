//! `whoami`: whom the token belongs to.

use model::wording;
use serde_json::Value;

use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Show who you are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl whoami
  ada@example.com
  at http://127.0.0.1:5000, token `ci`, scope read (ada@example.com may have admin)")]
pub(crate) struct Whoami {
    #[command(flatten)]
    json: JsonOption,
}

impl Whoami {
    /// Prints the email on stdout, server and token on stderr.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let credentials = context.credentials()?;
        let body: Value = context.api()?.get("/account")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let email =
            body["email"].as_str().ok_or_else(|| Error::failed("the server does not know who this is"))?;
        context.screen.print(email)?;
        context.screen.say(&format!("at {}{}", credentials.url, token(&body, email)));
        Ok(())
    }
}

/// Says which token it is and what that may be used for, which may be less than its user may.
fn token(account: &Value, email: &str) -> String {
    let name = account["token"]["name"].as_str();
    let name = name.map(|name| format!(", token `{}`", wording::plain(name, 100))).unwrap_or_default();
    let scope = account["scope"].as_str().unwrap_or_default();
    let role = account["role"].as_str().filter(|role| *role != scope);
    let more = role.map(|role| format!(" ({email} may have {role})")).unwrap_or_default();
    if scope.is_empty() { name } else { format!("{name}, scope {scope}{more}") }
}
