//! `tokens:revoke`: ends a token at once.

use crate::api::{resolve_id, segment, short_id};
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// Revoke a token; it stops working at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl tokens:revoke 0190a1b2-ffff
  Revoked token 0190a1b2-ffff")]
pub(crate) struct Revoke {
    /// The beginning of its id, as `paasctl tokens` shows it; never the token itself
    id: String,

    #[command(flatten)]
    json: JsonOption,
}

impl Revoke {
    /// Revokes it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let list = api.all("/oauth/authorizations")?;
        let id = resolve_id(&list, &self.id, "token").map_err(|error| {
            // What was given may be the token itself.
            let message = if error.message.starts_with("no token") {
                "no token with this id".into()
            } else {
                error.message
            };
            crate::error::Error { message, ..error }.hint("`paasctl tokens` lists yours.")
        })?;
        let revoked = api.delete(&format!("/oauth/authorizations/{}", segment(&id)))?.body;
        context.screen.say(&format!("Revoked token {}", short_id(&id)));
        self.json.print(context, &revoked)
    }
}
