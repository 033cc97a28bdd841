//! `apps:create`: makes an app and, in a git repository, the remote to push to.

use model::name::AppName;
use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::{git, remote};

/// Create an app
///
/// Inside a git repository it also adds the remote `paas` and lets git ask paasctl for the token of that server, so
/// that a push needs no password. No token is written into the repository.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl apps:create shop
  Created shop.
  Added the git remote `paas`: http://127.0.0.1:5000/shop.git
  Next: `git push paas main` deploys what is committed.
  http://shop.localhost:8080")]
pub(crate) struct Create {
    /// Its name; without one the server chooses
    name: Option<AppName>,

    /// The name of the git remote
    #[arg(long, value_name = "NAME", default_value = git::REMOTE)]
    remote: String,

    /// Add no git remote
    #[arg(long)]
    no_remote: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Create {
    /// Makes the app, then the remote; a remote that cannot be made leaves the app as it is.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = match &self.name {
            Some(name) => json!({ "name": name }),
            None => json!({}),
        };
        let answer = context.api()?.post("/apps", &body)?.body;
        let app: App = read(&answer)?;
        context.screen.say(&format!("Created {}.", app.name));
        if !self.no_remote {
            remote::lead_to(context, &app.name, &self.remote)?;
        }
        self.show(context, &answer, &app)
    }

    fn show(&self, context: &Context, answer: &Value, app: &App) -> Result<()> {
        match &app.web_url {
            _ if self.json.json => context.screen.json(answer),
            Some(url) => context.screen.print(url),
            None => Ok(()),
        }
    }
}
