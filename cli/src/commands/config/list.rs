//! `config`: the config vars of an app with their values.

use std::collections::BTreeMap;

use model::config::ConfigValue;
use model::wording;

use super::quoting;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};

/// Show the config vars of an app
///
/// A value that is no UTF-8 text is shown as $'\xff…', the way bash writes it, and in JSON as {"base64": "…"}.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl config -a shop
  DATABASE_URL: postgres://db.internal/shop
  GREETING:     hello
                world
  $ paasctl config --shell -a shop > shop.env
  $ paasctl config:set --file shop.env -a shop-staging")]
pub(crate) struct List {
    /// Print lines that bash and `config:set --file` read back to the same bytes
    #[arg(short, long, conflicts_with = "json")]
    shell: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them in the order of their names.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/config-vars"))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let vars: BTreeMap<String, ConfigValue> = read(&body)?;
        if vars.is_empty() {
            context
                .screen
                .say(&format!("{app} has no config vars. `paasctl config:set KEY=value` sets one."));
            return Ok(());
        }
        let text = if self.shell { for_shell(&vars) } else { for_people(&vars, &context.screen) };
        context.screen.print(&text)
    }
}

/// Returns lines that a shell, and [`super::assignment::of_file`], read.
pub(super) fn for_shell(vars: &BTreeMap<String, ConfigValue>) -> String {
    let line = |(key, value): (&String, &ConfigValue)| format!("{key}={}", quoting::word(value));
    vars.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A value's further lines stand under its first; one that is no text stands there as a shell would read it.
fn for_people(vars: &BTreeMap<String, ConfigValue>, screen: &Screen) -> String {
    let width = vars.keys().map(|key| key.len() + 1).max().unwrap_or(0);
    let indent = format!("\n{}", " ".repeat(width + 1));
    let line = |(key, value): (&String, &ConfigValue)| {
        let name = screen.paint(Tone::Name, &format!("{key}:"));
        let gap = " ".repeat(width - key.len());
        let lines =
            |text: &str| text.split('\n').map(|line| shown(line, screen.interactive)).collect::<Vec<_>>();
        let text =
            value.text().map_or_else(|| quoting::escaped(value.reveal()), |text| lines(text).join(&indent));
        format!("{name}{gap}{text}")
    };
    vars.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(line: &str, interactive: bool) -> String {
    if interactive { wording::plain(line, usize::MAX) } else { line.to_owned() }
}
