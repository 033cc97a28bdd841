//! `git:remote`: the remote of an app that exists already.

use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::{git, remote};

/// Add the git remote of an app to this repository
///
/// Each clone needs it once, also one whose remote was added by hand: from then on git asks paasctl for the token.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl git:remote -a shop
  Added the git remote `paas`: http://127.0.0.1:5000/shop.git
  Next: `git push paas main` deploys what is committed.")]
pub(crate) struct GitRemote {
    #[command(flatten)]
    app: AppOption,

    /// The name of the git remote
    #[arg(long, value_name = "NAME", default_value = git::REMOTE)]
    remote: String,

    #[command(flatten)]
    json: JsonOption,
}

impl GitRemote {
    /// Looks whether there is such an app, then makes the remote.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let shown = api.get(&format!("/apps/{app}"))?;
        remote::lead_to(context, app.as_str(), &self.remote)?;
        self.json.print(context, &shown)
    }
}
