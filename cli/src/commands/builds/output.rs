//! `builds:output`: the log of a build, also while it is being written.

use super::find;
use crate::api::segment;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::interrupt;
use crate::lines;

/// Show the log of a build, and follow it while it runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl builds:output -a shop
  -----> Python app detected
  -----> Installing 12 packages
  -----> Packed 47.0 MB")]
pub(crate) struct Output {
    /// The beginning of its id; without one, the newest
    build: Option<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Output {
    /// Copies the log until the build has ended.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let id = find::id(&api, &app, self.build.as_deref())?;
        let stream = api.lines(&format!("/apps/{app}/builds/{}/output?follow=1", segment(&id)))?;
        interrupt::leave_with(
            &context.screen,
            format!("The build goes on; `paasctl builds:cancel -a {app}` stops it."),
        );
        lines::copy(&context.screen, stream, self.json.json).map(drop)
    }
}
