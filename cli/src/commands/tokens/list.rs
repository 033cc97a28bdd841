//! `tokens`: the user's tokens, without their secret parts.

use jiff::SignedDuration;

use crate::api::access::Authorization;
use crate::api::{read, short_id};
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};
use crate::when;

/// List your tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl tokens
  TOKEN          FOR         SCOPE  MADE        ENDS
  0190a1b2-c3d4  laptop      admin  3 days ago  never
  0190a1b2-ffff  monitoring  read   2 h ago     in 30 days")]
pub(crate) struct List {
    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = context.api()?.all("/oauth/authorizations")?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let tokens: Vec<Authorization> = read(&body)?;
        if tokens.is_empty() {
            context.screen.say("You have no tokens. `paasctl tokens:create --scope read` makes one.");
            return Ok(());
        }
        let mut table = Table::new(["TOKEN", "FOR", "SCOPE", "MADE", "ENDS"]);
        for token in tokens {
            table.row([
                Cell::toned(Tone::Name, short_id(&token.id)),
                token.description.clone().unwrap_or_default().into(),
                token.scope.join(", ").into(),
                when::ago(&context.screen, token.created_at).into(),
                ends(&context.screen, &token).into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// Returns when a token ends, from now.
pub(super) fn ends(screen: &Screen, token: &Authorization) -> String {
    let from_now = token.access_token.as_ref().and_then(|access| access.expires_in);
    let left = match token.expires_at {
        Some(at) => Some(at.duration_since(screen.now())),
        None => from_now.map(SignedDuration::from_secs),
    };
    match left {
        None => "never".to_owned(),
        Some(left) if left.as_secs() <= 0 => "ended".to_owned(),
        // A token that was just made for 30 days has a little less than that.
        Some(left) => format!("in {}", model::wording::duration(left + SignedDuration::from_secs(30))),
    }
}
