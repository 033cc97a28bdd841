//! `hosts:add`: what makes another machine a host.

use jiff::SignedDuration;
use model::wording;
use serde_json::json;

use crate::api::host::JoinToken;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::when;

/// Make a token to join a machine (administrators only)
///
/// It works once and for a short time. The machine makes its own key; the token says by which authority it knows the
/// platform.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:add --zone b --name app-3 > join-token
  The token is for one machine, which becomes host app-3 in zone b, within 15 min.
  Copy it into a file join-token there, and run there as root:

    paasd agent --server https://10.0.0.1:5001 --join-token join-token \\
      --data-dir /var/lib/paas-host

  `paasctl hosts` shows the host then.")]
pub(crate) struct Add {
    /// Where the host is; replicas are spread over zones
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// What the host is called; otherwise what it calls itself
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// How long the token works, such as 1h; a day at most
    #[arg(long, value_name = "TIME", value_parser = when::parse_duration)]
    ttl: Option<SignedDuration>,

    #[command(flatten)]
    json: JsonOption,
}

impl Add {
    /// Makes the token and says what to do with it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = json!({
            "zone": self.zone, "name": self.name, "ttl_seconds": self.ttl.map(|ttl| ttl.as_secs()),
        });
        let body = context.api()?.post("/hosts", &body)?.body;
        if self.json.json {
            return context.screen.json(&body);
        }
        let made: JoinToken = read(&body)?;
        let name = made.name.map(|name| format!(" {name}")).unwrap_or_default();
        let screen = &context.screen;
        // To the nearest minute: of those asked for a moment has passed.
        let half = SignedDuration::from_secs(30);
        let left = made.expires_at.map(|end| wording::duration(end.duration_since(screen.now()) + half));
        screen.say(&format!(
            "The token is for one machine, which becomes host{name} in zone {}, within {}.\n\
             Copy it into a file join-token there, and run there as root:\n\n  \
             paasd agent --server {} --join-token join-token \\\n    --data-dir /var/lib/paas-host\n\n\
             `paasctl hosts` shows the host then.",
            made.zone,
            left.unwrap_or_default(),
            made.server
        ));
        screen.print(&made.token)?;
        Ok(())
    }
}
