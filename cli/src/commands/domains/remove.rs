//! `domains:remove`: an app no longer answers under a host name.

use model::name::Hostname;

use crate::api::segment;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Remove a host name from an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl domains:remove www.example.com -a shop
  Removed www.example.com from shop.")]
pub(crate) struct Remove {
    /// The host name
    hostname: Hostname,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Remove {
    /// Removes it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let removed = api.delete(&format!("/apps/{app}/domains/{}", segment(self.hostname.as_str())));
        let removed = removed.map_err(|error| match error.not_found() {
            Some("domain") => Error::failed(format!("{app} has no host name {}", self.hostname))
                .hint(format!("`paasctl domains -a {app}` lists its host names.")),
            _ => error,
        })?;
        context.screen.say(&format!("Removed {} from {app}.", self.hostname));
        self.json.print(context, &removed.body)
    }
}
