//! `activity`: who changed what.

use serde_json::Value;

use crate::api::access::Activity as Row;
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// List who changed what, newest first
///
/// It is about one app if one is named (-a, `PAASCTL_APP`, git remote), otherwise about the whole platform.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl activity -a shop
  WHEN       WHO              WHAT        APP   DETAIL
  5 min ago  ada@example.com  config:set  shop  GREETING
  2 h ago    ada@example.com  deploy      shop  v41")]
pub(crate) struct Activity {
    /// How many
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    most: u16,

    /// Of the whole platform, whatever app is named
    #[arg(long, conflicts_with = "app")]
    all: bool,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Activity {
    /// Prints the rows.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let most = self.most;
        let app = if self.all { None } else { context.app(&self.app).ok() };
        let path = match app {
            Some(app) => format!("/apps/{app}/activity?max={most}"),
            None => format!("/activity?max={most}"),
        };
        let body = context.api()?.newest(&path, "at", most.into())?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let rows: Vec<Row> = read(&body)?;
        if rows.is_empty() {
            context.screen.say("Nothing was changed yet.");
            return Ok(());
        }
        let mut table = Table::new(["WHEN", "WHO", "WHAT", "APP", "DETAIL"]);
        for row in rows {
            table.row([
                when::ago(&context.screen, row.at).into(),
                row.actor.map(|actor| actor.email).unwrap_or_default().into(),
                Cell::toned(Tone::Name, row.action),
                row.app.map(|app| app.name).unwrap_or_default().into(),
                shown(row.detail.as_ref()).into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// Returns the detail on one line; what is empty says nothing.
fn shown(detail: Option<&Value>) -> String {
    match detail {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(members)) => {
            let member = |(name, value): (&String, &Value)| match (value, shown(Some(value))) {
                (_, text) if text.is_empty() => None,
                (Value::Object(_), text) => Some(format!("{name}({text})")),
                (_, text) => Some(format!("{name}={text}")),
            };
            members.iter().filter_map(member).collect::<Vec<_>>().join(" ")
        }
        Some(Value::Array(items)) => items.iter().map(|item| shown(Some(item))).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_detail_is_one_line_without_what_is_empty() {
        let detail =
            json!({"set": ["A", "B"], "removed": [], "web": {"quantity": "+1", "size": null}, "release": 42});
        assert_eq!(shown(Some(&detail)), "release=42 set=A,B web(quantity=+1)");
    }
}
