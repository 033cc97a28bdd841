//! `open`: the app in a browser.

use std::process::{Command, Stdio};

use crate::api::app::App;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Open the app in a browser and print its address
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl open -a shop
  http://shop.localhost:8080")]
pub(crate) struct Open {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Open {
    /// Prints the address and starts a browser where there is one.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, name) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{name}"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let url = read::<App>(&body)?.web_url;
        let url = url.ok_or_else(|| Error::failed(format!("{name} has no address")))?;
        context.screen.print(&url)?;
        if context.screen.interactive && (url.starts_with("http://") || url.starts_with("https://")) {
            browse(&url);
        }
        Ok(())
    }
}

/// Without a browser the printed address is all there is to give.
fn browse(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = Stdio::null;
    let _ = Command::new(program).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
}
