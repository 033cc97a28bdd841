//! `builds:info`: one build in detail, with how its buildpack was chosen.

use model::wording;

use super::find;
use super::list::{TOTAL, tone, took};
use crate::api::build::Build;
use crate::api::{read, segment};
use crate::commands::trace;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// Show a build and how it was detected
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl builds:info 0190a1b2-c3d4 -a shop
  Build    0190a1b2-c3d4-7000-8000-000000000001
  State    succeeded
  Commit   8f3a2c1d Add the cart (Ada)
  Release  v42
  Took     9.8 s (detect 0.1 s, compile 8.2 s, pack 1.5 s)

  python    found      requirements.txt (12 packages)
            not found  uv.lock, poetry.lock, Pipfile.lock, pyproject.toml
            therefore  a Python app
  => python: requirements.txt was found")]
pub(crate) struct Info {
    /// The beginning of its id; without one, the newest
    build: Option<String>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Info {
    /// Prints the details.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let id = find::id(&api, &app, self.build.as_deref())?;
        let body = api.get(&format!("/apps/{app}/builds/{}", segment(&id)))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let build: Build = read(&body)?;
        let mut table = Table::details();
        table.row([Cell::toned(Tone::Faint, "Build"), build.id.as_str().into()]);
        table.row([Cell::toned(Tone::Faint, "State"), Cell::toned(tone(&build.state), &build.state)]);
        for (label, value) in details(context, &build) {
            table.row([Cell::toned(Tone::Faint, label), value.into()]);
        }
        context.screen.print(&table.render(&context.screen))?;
        match &build.trace {
            Some(trace) => context.screen.print(&format!("\n{}", trace::described(&context.screen, trace))),
            None => Ok(()),
        }
    }
}

fn details(context: &Context, build: &Build) -> Vec<(&'static str, String)> {
    let slug = build.slug.as_ref().and_then(|slug| {
        let digest = slug.digest.as_deref()?;
        let size = slug.bytes.map(|n| format!(", {}", wording::bytes(n))).unwrap_or_default();
        Some(format!("{}{size}", digest.get(..12).unwrap_or(digest)))
    });
    let commit = build.commit.as_ref().map(|c| format!("{} {} ({})", c.short(), c.subject, c.author));
    let version = build.release.as_ref().and_then(|release| release.version);
    let rows = [
        ("Reason", build.reason.clone()),
        ("Hint", build.hint.clone()),
        ("Commit", commit),
        ("Branch", build.branch.clone()),
        ("Slug", slug),
        ("Release", version.map(|version| version.to_string())),
        ("By", build.user.as_ref().map(|user| user.email.clone())),
        ("Asked for", Some(when::exactly(&context.screen, build.created_at))),
        ("Took", Some(steps(context, build))),
    ];
    rows.into_iter().filter_map(|(label, value)| Some((label, value.filter(|v| !v.is_empty())?))).collect()
}

fn steps(context: &Context, build: &Build) -> String {
    let total = took(&context.screen, build);
    let step = |(name, ms): (&String, &u64)| {
        let time = jiff::SignedDuration::from_millis(i64::try_from(*ms).unwrap_or(i64::MAX));
        format!("{name} {}", wording::duration(time))
    };
    let steps = build.durations.iter().flatten().filter(|(name, _)| *name != TOTAL);
    let steps: Vec<_> = steps.map(step).collect();
    if steps.is_empty() { total } else { format!("{total} ({})", steps.join(", ")) }
}
