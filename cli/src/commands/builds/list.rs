//! `builds`: the newest builds of an app.

use jiff::SignedDuration;
use model::wording;

use super::find;
use crate::api::build::Build;
use crate::api::{read, short_id};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};
use crate::when;

/// List the newest builds of an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl builds -a shop
  BUILD          STATE      COMMIT                 RELEASE  TOOK   WHEN
  0190a1b2-c3d4  running    8f3a2c1d Add the cart           3.2 s  3.2 s ago
  0190a1a0-0b1c  succeeded  1c2d3e4f Start         v41      9.8 s  2 h ago")]
pub(crate) struct List {
    /// How many
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    most: u16,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints them, newest first.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = find::newest(&api, &app, self.most.into())?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let builds: Vec<Build> = read(&body)?;
        if builds.is_empty() {
            context.screen.say(&format!("{app} has no build yet. `git push paas main` starts one."));
            return Ok(());
        }
        let mut table = Table::new(["BUILD", "STATE", "COMMIT", "RELEASE", "TOOK", "WHEN"]);
        for build in &builds {
            let version = build.release.as_ref().and_then(|release| release.version);
            let commit = build.commit.as_ref().map(|commit| format!("{} {}", commit.short(), commit.subject));
            table.row([
                Cell::toned(Tone::Name, short_id(&build.id)),
                Cell::toned(tone(&build.state), &build.state),
                commit.unwrap_or_default().into(),
                version.map(|version| version.to_string()).unwrap_or_default().into(),
                took(&context.screen, build).into(),
                when::ago(&context.screen, build.created_at).into(),
            ]);
        }
        context.screen.print(&table.render(&context.screen))
    }
}

/// The duration of all steps together.
pub(super) const TOTAL: &str = "total";

/// Returns how long the build ran, or has been running.
pub(super) fn took(screen: &Screen, build: &Build) -> String {
    let total = build.durations.as_ref().and_then(|steps| steps.get(TOTAL));
    if let Some(ms) = total.and_then(|ms| i64::try_from(*ms).ok()) {
        return wording::duration(SignedDuration::from_millis(ms));
    }
    let Some(start) = build.started_at else { return String::new() };
    wording::duration(build.finished_at.unwrap_or_else(|| screen.now()).duration_since(start))
}

/// Returns how good it is to be in this state.
pub(super) fn tone(state: &str) -> Tone {
    match state {
        "succeeded" => Tone::Good,
        "failed" => Tone::Bad,
        "queued" | "running" => Tone::Care,
        _ => Tone::Plain,
    }
}
