//! `releases:info`: one release in detail.

use model::release::Version;
use model::wording;

use super::find::find;
use super::list::status;
use crate::api::read;
use crate::api::release::Release;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table};
use crate::when;

/// Show a release
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases:info v42 -a shop
  Release   v42
  Status    failed
  Reason    web.1 answers 500 on /
  What      Deploy 8f3a2c1d
  Commit    8f3a2c1d Add the cart (Ada)
  Slug      5f70bf18a086
  By        ada@example.com
  Made      2026-01-02 03:04:05 UTC (5 min ago)")]
pub(crate) struct Info {
    /// Such as v42; without one, the newest
    version: Option<Version>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Info {
    /// Prints the details.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = find(&api, &app, self.version)?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let release: Release = read(&body)?;
        let (word, tone) = status(&release);
        let mut table = Table::details();
        table.row([Cell::toned(Tone::Faint, "Release"), release.version.to_string().into()]);
        table.row([Cell::toned(Tone::Faint, "Status"), Cell::toned(tone, word)]);
        for (label, value) in details(context, &release) {
            table.row([Cell::toned(Tone::Faint, label), value.into()]);
        }
        context.screen.print(&table.render(&context.screen))?;
        // What follows the reason itself is advice, which no narrow terminal may cut off.
        for line in release.reason.iter().flat_map(|reason| reason.lines().skip(1)) {
            context.screen.print(&wording::plain(line, 1_000))?;
        }
        Ok(())
    }
}

fn details(context: &Context, release: &Release) -> Vec<(&'static str, String)> {
    let commit = release.commit.as_ref().map(|c| format!("{} {} ({})", c.short(), c.subject, c.author));
    let digest = release.slug.as_ref().and_then(|slug| slug.digest.as_deref());
    let digest = digest.map(|digest| digest.get(..12).unwrap_or(digest).to_owned());
    let size = release.slug.as_ref().and_then(|slug| slug.bytes).map(|n| format!(", {}", wording::bytes(n)));
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let watched = release.watching_until.zip(release.reverts_to).map(|(until, fallback)| {
        let left = wording::duration(until.duration_since(context.screen.now()));
        format!("for {left} more; it reverts to {fallback} by itself if it fails")
    });
    let rows = [
        ("Watched", watched),
        ("Reason", release.reason.as_deref().map(first)),
        ("What", release.description.clone()),
        ("Commit", commit),
        ("Slug", digest.map(|digest| digest + &size.unwrap_or_default())),
        ("By", release.user.as_ref().map(|user| user.email.clone())),
        ("Made", Some(when::exactly(&context.screen, release.created_at))),
        ("Finished", Some(when::exactly(&context.screen, release.finished_at))),
    ];
    rows.into_iter().filter_map(|(label, value)| Some((label, value.filter(|v| !v.is_empty())?))).collect()
}
