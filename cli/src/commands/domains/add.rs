//! `domains:add`: lets an app answer under one more host name.

use model::name::Hostname;
use serde_json::json;

use crate::api::app::Domain;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Add a host name to an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl domains:add www.example.com -a shop
  Added www.example.com to shop.
  Point its DNS record to shop.localhost")]
pub(crate) struct Add {
    /// The host name; `*.example.com` takes all of one level
    hostname: Hostname,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Add {
    /// Adds it and says where DNS should point.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = json!({ "hostname": self.hostname, "sni_endpoint": null });
        let body = api.post(&format!("/apps/{app}/domains"), &body)?.body;
        let domain: Domain = read(&body)?;
        context.screen.say(&format!("Added {} to {app}.", domain.hostname));
        if let Some(target) = &domain.cname {
            context.screen.say(&format!("Point its DNS record to {target}"));
        }
        if self.json.json { context.screen.json(&body) } else { Ok(()) }
    }
}
