//! `config:edit`: all config vars in an editor, what was changed in one release.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use model::config::ConfigValue;
use model::name::AppName;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::{assignment, change, list};
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::environment;
use crate::error::{Error, Result};
use crate::question;

type Vars = BTreeMap<String, ConfigValue>;

/// Edit the config vars in your editor
///
/// The editor is VISUAL, EDITOR or vi. The file is read as a shell reads it; it is yours only and
/// removed once the server has it.
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

    /// Remove all of them without asking, if the file comes back empty
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Edit {
    /// Opens the editor and sends what differs afterwards. What was written is kept until the server has it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let before: Vars = read(&api.get(&format!("/apps/{app}/config-vars"))?)?;
        // Temporary files are made with mode 0600.
        let mut file = tempfile::Builder::new().prefix("config-").suffix(".env").tempfile()?;
        writeln!(file, "{}", list::for_shell(&before))?;
        file.flush()?;
        let after = match edited(file.path()) {
            Ok(Some(after)) => after,
            Ok(None) => {
                return Err(Error::failed("the editor failed; nothing was changed")
                    .hint("EDITOR names the one to use."));
            }
            Err(error) => return Err(kept(file, error)),
        };
        if after.is_empty() && !before.is_empty() {
            self.confirm_removal(&app, &before)?;
        }
        let changes = changes(&before, after);
        if changes.is_empty() {
            context.screen.say("Nothing was changed.");
            return self.json.print(context, &Value::Null);
        }
        let sent = match change::send(context, &self.app, changes, ("Changed", "on")) {
            Ok(sent) => sent,
            Err(error) => return Err(kept(file, error)),
        };
        file.close()?;
        sent.follow(context, !self.no_wait, self.json)
    }

    fn confirm_removal(&self, app: &AppName, before: &Vars) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let names = before.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let what = format!("all config vars of {app} ({names})");
        match question::agreed(&format!("The file is empty. Remove {what}?"))? {
            Some(true) => Ok(()),
            Some(false) => Err(Error::failed("nothing was changed")),
            None => Err(Error::usage(format!("the file is empty: that would remove {what}"))
                .hint("Nothing was changed. `paasctl config:edit --yes` removes them.")),
        }
    }
}

/// Opens the editor until the file can be read or the user gives up; `None` when the editor fails.
fn edited(file: &Path) -> Result<Option<Vars>> {
    let editor = environment::variable("VISUAL").or_else(|| environment::variable("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    loop {
        // Through a shell, as git does it: EDITOR may hold options.
        let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file).status();
        if !status.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let error = match assignment::of_file(file) {
            Ok(after) => {
                return Ok(Some(after.into_iter().map(|one| (one.key.to_string(), one.value)).collect()));
            }
            Err(error) => error,
        };
        let question = format!("{}\nEdit it again?", error.text("This cannot be taken:"));
        if question::agreed(&question)? != Some(true) {
            return Err(error);
        }
    }
}

/// Leaves the file where it is and says so: what was written in it is nowhere else.
fn kept(file: NamedTempFile, error: Error) -> Error {
    let Ok((_, path)) = file.keep() else { return error };
    let path = path.display();
    let why = error.hint.as_deref().map(|hint| format!("{hint} ")).unwrap_or_default();
    let hint = format!(
        "{why}Nothing was changed. What you wrote is kept in {path}; when it is right, `paasctl config:set --file \
         {path}` sets what it holds. Then remove it."
    );
    Error { hint: Some(hint), ..error }
}

fn changes(before: &Vars, after: Vars) -> Map<String, Value> {
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut changes: Map<_, _> = gone.collect();
    let new = after.into_iter().filter(|(key, value)| before.get(key) != Some(value));
    changes.extend(new.map(|(key, value)| (key, json!(value))));
    changes
}
