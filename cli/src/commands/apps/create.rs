//! `apps:create`: makes an app and, in a git repository, the remote to push to.

use model::name::AppName;
use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::credentials::Credentials;
use crate::error::Result;
use crate::git;

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
            self.prepare_git(context, &context.credentials()?, &app)?;
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

    fn prepare_git(&self, context: &Context, credentials: &Credentials, app: &App) -> Result<()> {
        let screen = &context.screen;
        let Ok(name) = app.name.parse() else { return Ok(()) };
        let url = credentials.url.repository(&name);
        if !git::is_repository() {
            screen.say(&format!(
                "Next: in a git repository, `git remote add {} {url}`, then push.",
                self.remote
            ));
            return Ok(());
        }
        match git::remote_url(&self.remote) {
            None => {
                git::add_remote(&self.remote, &url)?;
                screen.say(&format!("Added the git remote `{}`: {url}", self.remote));
            }
            Some(same) if same == url => {}
            Some(other) => {
                let remote = &self.remote;
                screen.say(&format!("The git remote `{remote}` leads to {other} and was left alone;"));
                screen.say(&format!("  `git remote set-url {remote} {url}` makes it lead to {name}."));
            }
        }
        git::use_our_credentials(&credentials.url)?;
        if !credentials.lasting {
            screen.say("Git will ask for a password (the token), unless `paasctl login` stores it.");
        }
        let branch = git::branch().filter(|branch| branch == "master").unwrap_or_else(|| "main".to_owned());
        screen.say(&format!("Next: `git push {} {branch}` deploys what is committed.", self.remote));
        Ok(())
    }
}
