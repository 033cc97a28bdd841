//! `stack:set`: what the next build is for.

use serde_json::json;

use super::replace;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Set the stack: `container` has a Dockerfile built
///
/// It takes effect with the next push; what serves stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl stack:set container -a shop
  The next push to shop is built on container.
  $ git push paas main")]
pub(crate) struct Set {
    /// Its name, such as debian-12 or container
    stack: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Set {
    /// Sets it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let stack = replace(&api, &app, &self.stack)?;
        context.screen.say(&format!("The next push to {app} is built on {stack}."));
        self.json.print(context, &json!({ "name": stack }))
    }
}
