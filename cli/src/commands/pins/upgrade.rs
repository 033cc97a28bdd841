//! `pins:upgrade`: lets the next build choose versions anew.

use serde::Deserialize;
use serde_json::json;

use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Let the next build choose newer versions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl pins:upgrade python -a shop
  The next build of shop chooses python anew.
  `git commit --allow-empty -m 'Upgrade' && git push paas main` starts one.")]
pub(crate) struct Upgrade {
    /// Such as python; without one, all
    names: Vec<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

#[derive(Deserialize)]
struct Released {
    released: Vec<String>,
}

impl Upgrade {
    /// Releases the pins.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = if self.names.is_empty() { json!({}) } else { json!({ "names": self.names }) };
        let body = api.post(&format!("/apps/{app}/pins/actions/upgrade"), &body)?.body;
        let released = read::<Released>(&body)?.released;
        if released.is_empty() {
            context.screen.say(&format!("Nothing was pinned; `paasctl pins -a {app}` shows what is."));
        } else {
            context.screen.say(&format!("The next build of {app} chooses {} anew.", released.join(", ")));
            context.screen.say("`git commit --allow-empty -m 'Upgrade' && git push paas main` starts one.");
        }
        if self.json.json { context.screen.json(&body) } else { Ok(()) }
    }
}
