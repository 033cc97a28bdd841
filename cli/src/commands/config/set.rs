//! `config:set`: sets config vars, all of them in one release.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Map, json};

use super::{assignment, change};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Set config vars, all in one release
///
/// It waits until the release serves; if it does not become healthy, nothing changes.
///
/// A value is up to 64 KB of any bytes but NUL. KEY=@FILE takes those of a file and KEY=@- (or KEY=-) those of stdin, as
/// they are; KEY=@@text is a value that begins with @.
///
/// What the platform tells each process, such as PORT, DYNO or `PAAS_RELEASE`, and what bash keeps for itself, such as
/// RANDOM, cannot be set. PATH replaces the platform's own; what the buildpacks installed stays in front of it.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl config:set GREETING=hello KEY=@key.pem -a shop
  Set GREETING, KEY on shop: v42.
    web.1 of v42 is healthy
  Done in 1.4 s.")]
pub(crate) struct Set {
    /// Such as GREETING=hello, KEY=@key.pem or KEY=@-
    #[arg(value_name = "KEY=VALUE", required_unless_present = "file")]
    assignments: Vec<OsString>,

    /// Read KEY=value lines from a file, as a shell reads them
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

/// Shows no values.
impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Set").field("app", &self.app).finish_non_exhaustive()
    }
}

impl Set {
    /// Reads all values first, then sends them as one change.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut all = Vec::new();
        if let Some(file) = &self.file {
            all.extend(assignment::of_file(file)?);
        }
        for (index, text) in self.assignments.iter().enumerate() {
            all.push(assignment::of_argument(text, index + 1)?);
        }
        if all.is_empty() {
            return Err(Error::failed("the file sets nothing"));
        }
        let pair = |one: assignment::Assignment| (one.key.to_string(), json!(one.value));
        let changes: Map<_, _> = all.into_iter().map(pair).collect();
        change::send(context, &self.app, changes, ("Set", "on"))?.follow(context, !self.no_wait, self.json)
    }
}
