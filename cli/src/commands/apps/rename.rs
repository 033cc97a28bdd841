//! `apps:rename`: gives an app another name, and the git remote its new address.

use model::name::AppName;
use serde_json::json;

use crate::api::app::App;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::git;

/// Rename an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl apps:rename store -a shop
  Renamed shop to store: http://store.localhost:8080")]
pub(crate) struct Rename {
    /// Its new name
    new_name: AppName,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Rename {
    /// Renames it on the server first, then here.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, name) = context.api_and_app(&self.app)?;
        let shown = api.patch(&format!("/apps/{name}"), &json!({ "name": self.new_name }))?.body;
        let app: App = read(&shown)?;
        let address = app.web_url.map(|url| format!(": {url}")).unwrap_or_default();
        context.screen.say(&format!("Renamed {name} to {}{address}", app.name));
        let server = context.credentials()?.url;
        if git::remote_url(git::REMOTE).is_some_and(|url| url == server.repository(&name)) {
            git::set_remote(git::REMOTE, &server.repository(&self.new_name))?;
            context.screen.say(&format!("The git remote `{}` leads to the new name now.", git::REMOTE));
        }
        self.json.print(context, &shown)
    }
}
