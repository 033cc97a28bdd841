//! `detect`: what a push of a directory would be built with, and why; needs no server.

use std::error::Error as _;
use std::path::PathBuf;

use detection::LocalError;

use super::trace;
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Tell how a directory would be built, without a server
///
/// It runs the detection that a push runs, on the files as they are in the directory, committed or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl detect ~/shop
  python    found      requirements.txt (12 packages)
            not found  uv.lock, poetry.lock, Pipfile.lock, pyproject.toml
            therefore  a Python app
  => python: requirements.txt was found
  web runs `gunicorn app:app` (Procfile)")]
pub(crate) struct Detect {
    /// The directory; otherwise this one
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,

    #[command(flatten)]
    json: JsonOption,
}

impl Detect {
    /// Prints the explanation; fails if no buildpack applies, since a push would.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let found = detection::detect_locally(&self.directory).map_err(|error| {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            let failed = Error::failed(format!("{error}{source}"));
            match error {
                LocalError::Procfile(error) => failed.hint(error.hint()),
                _ => failed,
            }
        })?;
        if self.json.json {
            let value = serde_json::to_value(&found);
            context.screen.json(&value.map_err(|error| Error::failed(error.to_string()))?)?;
        } else {
            context.screen.print(&trace::described(&context.screen, &found))?;
        }
        match (&found.chosen, found.hint) {
            (Some(_), _) => Ok(()),
            (None, Some(hint)) => Err(Error::failed("a push of this directory would be refused").hint(hint)),
            (None, None) => Err(Error::failed("a push of this directory would be refused")),
        }
    }
}
