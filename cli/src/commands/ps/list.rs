//! `ps`: what should run, what runs, and why something does not.

use std::fmt::Write as _;

use model::wording;
use serde_json::Value;

use crate::api::process::{Dyno, FormationEntry};
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Show the replicas of an app
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl ps -a shop
  web: 2 of 2 healthy, Standard-1X, `gunicorn app:app`
  worker: 0 of 1 healthy, Standard-1X, `python worker.py`

  NAME      STATE    FOR     RELEASE  HOST    MEMORY   RESTARTS
  web.1     healthy  5 min   v41      here    47.0 MB  0
  web.2     healthy  5 min   v41      here    46.2 MB  0
  worker.1  backoff  10 s    v41      here             3
    exited with status 1")]
pub(crate) struct List {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl List {
    /// Prints the formation, then the replicas.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let dynos = api.all(&format!("/apps/{app}/dynos"))?;
        if self.json.json {
            return context.screen.json(&dynos);
        }
        let formation = api.all(&format!("/apps/{app}/formation"))?;
        let text = described(&context.screen, &formation, &dynos)?;
        if text.is_empty() {
            context.screen.say(&format!("{app} has no release yet. `git push paas main` deploys one."));
            return Ok(());
        }
        context.screen.print(&text)?;
        if dynos.as_array().is_some_and(Vec::is_empty) {
            context.screen.say(&format!("Nothing runs. `paasctl ps:scale web=1 -a {app}` starts a replica."));
        }
        Ok(())
    }
}

fn described(screen: &Screen, formation: &Value, dynos: &Value) -> Result<String> {
    let entries: Vec<FormationEntry> = read(formation)?;
    let mut dynos: Vec<Dyno> = read(dynos)?;
    dynos.sort_by(|a, b| (&a.r#type, a.number, &a.name).cmp(&(&b.r#type, b.number, &b.name)));
    let mut text = entries.iter().map(|entry| summary(screen, entry, &dynos)).collect::<Vec<_>>().join("\n");
    if !dynos.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n\n" };
        let _ = write!(text, "{gap}{}", replicas(screen, &dynos));
    }
    Ok(text)
}

fn summary(screen: &Screen, entry: &FormationEntry, dynos: &[Dyno]) -> String {
    let running = || dynos.iter().filter(|d| d.r#type == entry.r#type && d.state == "up").count() as u64;
    let healthy = entry.observed.unwrap_or_else(running);
    let tone = if healthy == entry.quantity { Tone::Good } else { Tone::Care };
    let healthy = screen.paint(tone, &format!("{healthy} of {} healthy", entry.quantity));
    let mut line = format!("{}: {healthy}", screen.paint(Tone::Name, &entry.r#type));
    if !entry.size.is_empty() {
        let _ = write!(line, ", {}", entry.size);
    }
    if let Some(command) = &entry.command {
        let _ = write!(line, ", `{}`", wording::plain(command, 200));
    }
    line
}

/// A reason stands under its replica.
fn replicas(screen: &Screen, dynos: &[Dyno]) -> String {
    let mut table = Table::new(["NAME", "STATE", "FOR", "RELEASE", "HOST", "MEMORY", "RESTARTS"]);
    for dyno in dynos {
        let since = dyno.since.map(|since| wording::duration(screen.now().duration_since(since)));
        let version = dyno.release.as_ref().and_then(|release| release.version);
        table.row([
            Cell::toned(Tone::Name, &dyno.name),
            Cell::toned(tone(dyno.phase()), dyno.standing()),
            since.unwrap_or_default().into(),
            version.map(|version| version.to_string()).unwrap_or_default().into(),
            dyno.host.clone().unwrap_or_default().into(),
            dyno.memory_bytes.map(wording::bytes).unwrap_or_default().into(),
            dyno.restarts.map(|n| n.to_string()).unwrap_or_default().into(),
        ]);
    }
    let rendered = table.render(screen);
    let mut lines: Vec<String> = rendered.lines().take(1).map(str::to_owned).collect();
    for (line, dyno) in rendered.lines().skip(1).zip(dynos) {
        lines.push(line.to_owned());
        let reason = dyno.reason.as_deref().unwrap_or_default();
        lines.extend(reason.lines().map(|line| format!("  {}", wording::plain(line, 300))));
    }
    lines.join("\n")
}

/// Returns how good it is to be in this phase.
pub(crate) fn tone(phase: &str) -> Tone {
    match phase {
        "healthy" | "up" => Tone::Good,
        "unhealthy" | "backoff" | "impossible" | "crashed" => Tone::Bad,
        _ => Tone::Care,
    }
}
