//! `releases:output`: what the release command of a release wrote.

use model::release::Version;

use super::find::find;
use crate::api::read;
use crate::api::release::Release;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::lines;

/// Show what the release command of a release wrote
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:output v42 -a shop
  Running migrations:
    Applying shop.0002_cart... OK")]
pub(crate) struct Output {
    /// Such as v42; without one, the newest
    version: Option<Version>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Output {
    /// Copies it, also while it is being written.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let release: Release = read(&find(&api, &app, self.version)?)?;
        let count = match &release.output_stream_url {
            Some(url) => lines::copy(&context.screen, api.lines_of(url)?, self.json.json)?,
            None => 0,
        };
        if count == 0 {
            let version = release.version;
            context.screen.say(&format!("{version} ran no release command, or it wrote nothing."));
        }
        Ok(())
    }
}
