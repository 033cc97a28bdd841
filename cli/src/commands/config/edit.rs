//! `config:edit`: all config vars in an editor, what was changed in one release.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

use model::config::ConfigValue;
use serde_json::{Map, Value, json};

use super::{assignment, change, list};
use crate::api::read;
use crate::context::{AppOption, Context};
use crate::environment;
use crate::error::{Error, Result};

/// Edit the config vars in your editor
///
/// The editor is VISUAL, EDITOR or vi. The file is read as a shell reads it; it is yours only and removed afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ EDITOR=nano paasctl config:edit -a shop
  Changed GREETING on shop: v42.
    web.1 of v42 is healthy
  Done in 1.4 s.")]
pub(crate) struct Edit {
    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    app: AppOption,
}

impl Edit {
    /// Opens the editor and sends what differs afterwards.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let before: BTreeMap<String, ConfigValue> = read(&api.get(&format!("/apps/{app}/config-vars"))?)?;
        // Temporary files are made with mode 0600.
        let mut file = tempfile::Builder::new().prefix("config-").suffix(".env").tempfile()?;
        writeln!(file, "{}", list::for_shell(&before))?;
        file.flush()?;
        let editor = environment::variable("VISUAL").or_else(|| environment::variable("EDITOR"));
        let editor = editor.unwrap_or_else(|| "vi".to_owned());
        // Through a shell, as git does it: EDITOR may hold options.
        let status =
            Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(
                Error::failed("the editor failed; nothing was changed").hint("EDITOR names the one to use.")
            );
        }
        let after = assignment::of_file(file.path())?;
        let changes =
            changes(&before, after.into_iter().map(|one| (one.key.to_string(), one.value)).collect());
        if changes.is_empty() {
            context.screen.say("Nothing was changed.");
            return Ok(());
        }
        change::send(context, &self.app, changes, ("Changed", "on"), !self.no_wait)
    }
}

fn changes(
    before: &BTreeMap<String, ConfigValue>,
    after: BTreeMap<String, ConfigValue>,
) -> Map<String, Value> {
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut changes: Map<_, _> = gone.collect();
    let new = after.into_iter().filter(|(key, value)| before.get(key) != Some(value));
    changes.extend(new.map(|(key, value)| (key, json!(value))));
    changes
}
