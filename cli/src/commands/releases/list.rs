//! `releases`: the newest releases of an app.

use crate::api::read;
use crate::api::release::Release;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::Tone;
use crate::table::{Cell, Table, shortened};
use crate::when;

/// List the newest releases of an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl releases -a shop
  RELEASE  STATUS     WHAT                       BY               WHEN
  v42      failed     Deploy 8f3a2c1d            ada@example.com  5 min ago
    web.1 answers 500 on /
  v41      current    Set GREETING               ada@example.com  2 h ago
  v40      succeeded  Deploy 1c2d3e4f            ada@example.com  3 days ago")]
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
    /// Prints them, newest first, with the reasons of those that do not serve.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.newest(&format!("/apps/{app}/releases"), "version", self.most.into())?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let releases: Vec<Release> = read(&body)?;
        if releases.is_empty() {
            context.screen.say(&format!("{app} has no release yet. `git push paas main` makes the first."));
            return Ok(());
        }
        context.screen.print(&described(context, &releases))
    }
}

/// One release of many config vars must not stretch all lines, also where no terminal does the cutting.
const WHAT_WIDTH: usize = 80;

fn described(context: &Context, releases: &[Release]) -> String {
    let mut table = Table::new(["RELEASE", "STATUS", "WHAT", "BY", "WHEN"]);
    for release in releases {
        let (word, tone) = status(release);
        table.row([
            Cell::toned(Tone::Name, release.version.to_string()),
            Cell::toned(tone, word),
            shortened(release.description.as_deref().unwrap_or_default(), WHAT_WIDTH).into(),
            release.user.as_ref().map(|user| user.email.clone()).unwrap_or_default().into(),
            when::ago(&context.screen, release.created_at).into(),
        ]);
    }
    let rendered = table.render(&context.screen);
    let mut lines: Vec<String> = rendered.lines().take(1).map(str::to_owned).collect();
    for (line, release) in rendered.lines().skip(1).zip(releases) {
        lines.push(line.to_owned());
        let reason = release.reason.as_deref().and_then(|reason| reason.lines().next());
        lines.extend(reason.map(|reason| format!("  {}", model::wording::plain(reason, 300))));
    }
    lines.join("\n")
}

/// Returns the word for where it stands; the one that serves is `current`.
pub(super) fn status(release: &Release) -> (&str, Tone) {
    match release.state.as_str() {
        "failed" => ("failed", Tone::Bad),
        "cancelled" => ("cancelled", Tone::Care),
        "pending" => ("pending", Tone::Care),
        _ if release.current => ("current", Tone::Good),
        other => (other, Tone::Plain),
    }
}
