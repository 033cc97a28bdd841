//! `config:get`: the value of one config var, byte for byte.

use std::collections::BTreeMap;

use model::config::ConfigValue;
use model::wording;
use serde_json::json;

use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};

/// Print the value of a config var
///
/// It is written byte for byte, with a line end behind it only on a terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl config:get DATABASE_URL -a shop
  postgres://db.internal/shop")]
pub(crate) struct Get {
    /// Its name
    key: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Get {
    /// Prints it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/config-vars"))?;
        let vars: BTreeMap<String, ConfigValue> = read(&body)?;
        let Some(value) = vars.get(&self.key) else {
            let near = wording::did_you_mean(&self.key, vars.keys().map(String::as_str));
            let near = near.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
            return Err(Error::failed(format!(
                "{app} has no config var `{}`",
                wording::plain(&self.key, 60)
            ))
            .hint(format!("{near}`paasctl config -a {app}` shows all of them.")));
        };
        if self.json.json {
            return context.screen.json(&json!({ &self.key: value }));
        }
        context.screen.write(value.reveal())?;
        if context.screen.interactive { context.screen.write("\n") } else { Ok(()) }
    }
}
