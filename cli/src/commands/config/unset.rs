//! `config:unset`: removes config vars, all of them in one release.

use model::name::ConfigKey;
use serde_json::{Map, Value};

use super::change;
use crate::context::{AppOption, Context};
use crate::error::{Error, Result};

/// Remove config vars, all in one release
///
/// It waits until the release serves; if it does not become healthy, nothing changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl config:unset GREETING -a shop
  Removed GREETING from shop: v43.
    web.1 of v43 is healthy
  Done in 1.4 s.")]
pub(crate) struct Unset {
    /// Their names
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,

    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,
}

impl Unset {
    /// Removes them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let changes = self
            .keys
            .iter()
            .map(|key| Ok((name(key)?.to_string(), Value::Null)))
            .collect::<Result<Map<_, _>>>()?;
        change::send(context, &self.app, changes, ("Removed", "from"), !self.no_wait)
    }
}

/// Does not repeat what stands behind a `=`: it is the value.
fn name(text: &str) -> Result<ConfigKey> {
    if text.contains('=') {
        return Err(Error::usage("`config:unset` takes names without values")
            .hint("Write `paasctl config:unset KEY`."));
    }
    ConfigKey::known(text).map_err(|error: model::name::NameError| Error::usage(error.to_string()))
}
