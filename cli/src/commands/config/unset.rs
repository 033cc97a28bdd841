//! `config:unset`: removes config vars, all of them in one release.

use std::collections::BTreeSet;

use model::name::ConfigKey;
use model::wording;
use serde_json::{Map, Value};

use super::change;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
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

    #[command(flatten)]
    json: JsonOption,
}

impl Unset {
    /// Removes those that are set and names the others.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let wanted = self.keys.iter().map(|key| name(key)).collect::<Result<BTreeSet<_>>>()?;
        let (api, app) = context.api_and_app(&self.app)?;
        let vars: Map<String, Value> = read(&api.get(&format!("/apps/{app}/config-vars"))?)?;
        let (set, unset): (Vec<_>, Vec<_>) =
            wanted.iter().map(ConfigKey::as_str).partition(|key| vars.contains_key(*key));
        for key in unset {
            let near = wording::did_you_mean(key, vars.keys().map(String::as_str));
            let near = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
            context.screen.say(&format!("{key} was not set on {app}.{near}"));
        }
        if set.is_empty() {
            context.screen.say("Nothing changed.");
            return self.json.print(context, &Value::Null);
        }
        let changes = set.into_iter().map(|key| (key.to_owned(), Value::Null)).collect();
        let sent = change::send(context, &self.app, changes, ("Removed", "from"))?;
        sent.follow(context, !self.no_wait, self.json)
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
