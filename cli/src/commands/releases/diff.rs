//! `releases:diff`: what differs between two releases; config vars by name only.

use std::fmt::Write as _;

use model::release::Version;
use model::wording;

use crate::api::read;
use crate::api::release::{Change, Difference};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Show what differs between two releases
///
/// Config vars are told by name, never by value.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:diff v41 v42 -a shop
  Commits
    8f3a2c1d  Add the cart (Ada)
  Files
    modified  app.py            +12 -3
    added     requirements.txt   +1 -0
  Packages
    flask  3.0.0 => 3.1.0
  Config vars
    changed  GREETING")]
pub(crate) struct Diff {
    /// The older, such as v41
    from: Version,

    /// The newer, such as v42
    to: Version,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Diff {
    /// Prints the differences by kind.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/releases/{}/diff/{}", self.from.0, self.to.0))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let text = described(&context.screen, &read(&body)?);
        if text.is_empty() {
            context.screen.say(&format!("{} and {} run the same.", self.from, self.to));
            return Ok(());
        }
        context.screen.print(text.trim_end())
    }
}

fn described(screen: &Screen, difference: &Difference) -> String {
    let mut config = Table::bare();
    let kinds = &difference.config;
    for (word, names) in [("added", &kinds.added), ("changed", &kinds.changed), ("removed", &kinds.removed)] {
        names.iter().for_each(|name| config.row([word.into(), name.as_str().into()]));
    }
    let mut processes = Table::bare();
    for change in &difference.processes {
        processes.row([change.r#type.as_str().into(), arrow(&change.from, &change.to).into()]);
    }
    let sections = [
        (
            "Commits",
            commits(difference),
            difference.commits.len() + usize::from(difference.dropped_commits > 0),
        ),
        ("Files", files(difference), difference.files.len()),
        ("Packages", changes(&difference.packages), difference.packages.len()),
        ("Versions", changes(&difference.versions), difference.versions.len()),
        ("Config vars", config, kinds.added.len() + kinds.changed.len() + kinds.removed.len()),
        ("Process types", processes, difference.processes.len()),
    ];
    let mut text = String::new();
    let inner = screen.narrowed(2);
    for (title, table, _) in sections.into_iter().filter(|(_, _, rows)| *rows > 0) {
        let _ = writeln!(text, "{title}");
        for line in table.render(&inner).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn commits(difference: &Difference) -> Table {
    let mut commits = Table::bare();
    let more = |n: u64| Cell::toned(Tone::Faint, format!("and {n} more"));
    for commit in &difference.commits {
        let subject = format!("{} ({})", commit.subject, commit.author);
        commits.row([Cell::toned(Tone::Name, commit.short()), subject.into()]);
    }
    if difference.more_commits > 0 {
        commits.row(["".into(), more(difference.more_commits)]);
    }
    if difference.dropped_commits > 0 {
        let dropped =
            wording::count(usize::try_from(difference.dropped_commits).unwrap_or(usize::MAX), "commit");
        commits.row(["".into(), Cell::toned(Tone::Care, format!("without {dropped} of the older release"))]);
    }
    commits
}

fn files(difference: &Difference) -> Table {
    let mut table = Table::bare();
    for file in &difference.files {
        let count = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let lines = format!("+{} -{}", count(file.added), count(file.removed));
        table.row([file.status.as_str().into(), wording::plain(&file.path, 300).into(), lines.into()]);
    }
    if difference.more_files > 0 {
        table.row(["".into(), Cell::toned(Tone::Faint, format!("and {} more", difference.more_files))]);
    }
    table
}

fn changes(changes: &[Change]) -> Table {
    let mut table = Table::bare();
    for change in changes {
        table.row([change.name.as_str().into(), arrow(&change.from, &change.to).into()]);
    }
    table
}

fn arrow(from: &Option<String>, to: &Option<String>) -> String {
    match (from, to) {
        (None, Some(to)) => format!("new: {to}"),
        (Some(from), None) => format!("gone: {from}"),
        (from, to) => format!("{} => {}", from.as_deref().unwrap_or(""), to.as_deref().unwrap_or("")),
    }
}
