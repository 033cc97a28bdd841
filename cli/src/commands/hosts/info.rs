//! `hosts:info`: all there is to know of one host, and what runs there.

use model::wording;

use super::{CORE, GIGABYTE, of, path, tone};
use crate::api::host::{Host, Hour, InUse};
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};
use crate::when;

/// Show one host and its replicas (administrators only)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:info app-1
  Host       app-1
  Zone       a
  State      ready
  Memory     3 of 3.5 GB free
  CPU        1.9 of 2 cores free
  In use     0.3 of 2 cores, 1.2 of 4 GB
  Last hour  0.2 of 2 cores, up to 1.4 of 4 GB
  Runs       paasd 0.1.0, engine sandbox
  Entry      10.0.0.7:5002
  Seen       2026-01-05 11:59:59 UTC (just now)

  APP   REPLICA  STATE    RELEASE  SIZE
  shop  web.1    healthy  v41      Standard-1X")]
pub(crate) struct Info {
    /// Its name
    host: String,

    #[command(flatten)]
    json: JsonOption,
}

impl Info {
    /// Prints it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let body = context.api()?.get(&path(&self.host))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let host: Host = read(&body)?;
        let mut text = facts(&context.screen, &host);
        if !host.dynos.is_empty() {
            text = format!("{text}\n\n{}", replicas(&context.screen, &host));
        }
        context.screen.print(&text)?;
        for sentence in &host.degraded {
            context.screen.say(&format!("Degraded: {}", wording::plain(sentence, 300)));
        }
        for waiting in &host.waiting {
            context.screen.say(&format!("{} {} waits: {}", waiting.app, waiting.name, waiting.reason));
        }
        Ok(())
    }
}

fn facts(screen: &Screen, host: &Host) -> String {
    let mut table = Table::details();
    let mut fact = |name: &str, value: Cell| table.row([Cell::toned(Tone::Faint, name), value]);
    fact("Host", Cell::toned(Tone::Name, &host.name));
    fact("Zone", host.zone.clone().into());
    fact("State", Cell::toned(tone(&host.state), &host.state));
    if let Some(reason) = &host.reason {
        fact("Why", reason.clone().into());
        fact("Since", when::exactly(screen, host.since).into());
    }
    if let Some(notice) = &host.notice {
        fact("Notice", wording::plain(notice, 300).into());
    }
    if !host.is_only_instance() {
        let memory = of(host.memory_free_bytes, host.memory_bytes, GIGABYTE);
        fact("Memory", if host.memory_bytes.is_some() { format!("{memory} GB free") } else { memory }.into());
        let cpu = of(host.cpu_free_millicores, host.cpu_millicores, CORE);
        fact("CPU", if host.cpu_millicores.is_some() { format!("{cpu} cores free") } else { cpu }.into());
    }
    if let Some(used) = used(&host.in_use) {
        fact("In use", used.into());
    }
    if let Some(hour) = host.last_hour.as_ref().filter(|hour| used(&hour.in_use).is_some()) {
        fact("Last hour", last_hour(hour).into());
    }
    if let Some(version) = &host.version {
        let engine = host.engine.as_deref().map(|engine| format!(", engine {engine}")).unwrap_or_default();
        let server = if host.embedded { ", inside the server" } else { "" };
        fact("Runs", format!("paasd {version}{engine}{server}").into());
    }
    if let Some(instance) = &host.instance {
        let id = instance.id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
        let why = instance.reason.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        fact(
            "Instance",
            format!("{id}{}, {}, {}{why}", instance.doing, instance.kind, instance.lifecycle).into(),
        );
        fact("Image", instance.image.clone().into());
        fact("So since", when::exactly(screen, instance.since).into());
    }
    if let (Some(address), Some(port)) = (&host.address, host.entry_port) {
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        fact("Entry", format!("{address}:{port}").into());
    }
    fact("Seen", when::exactly(screen, host.last_seen_at).into());
    table.render(screen)
}

/// Returns what its machine had in use, and for how long nobody measured it.
fn last_hour(hour: &Hour) -> String {
    let memory = memory(&hour.in_use).map(|memory| format!("up to {memory}"));
    let missing =
        (hour.missing_minutes > 0).then(|| format!("{} min were not measured", hour.missing_minutes));
    cores(&hour.in_use).into_iter().chain(memory).chain(missing).collect::<Vec<_>>().join(", ")
}

/// Returns what a machine has in use, as far as that is known.
fn used(in_use: &InUse) -> Option<String> {
    let both: Vec<String> = cores(in_use).into_iter().chain(memory(in_use)).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn cores(in_use: &InUse) -> Option<String> {
    let millicores = |cores: f64| (cores * CORE as f64).round() as u64;
    let (used, all) = in_use.cpu_used.zip(in_use.cpu_total)?;
    Some(format!("{} cores", of(Some(millicores(used)), Some(millicores(all)), CORE)))
}

fn memory(in_use: &InUse) -> Option<String> {
    let (used, all) = in_use.memory_used_bytes.zip(in_use.memory_total_bytes)?;
    Some(format!("{} GB", of(Some(used), Some(all), GIGABYTE)))
}

fn replicas(screen: &Screen, host: &Host) -> String {
    let mut table = Table::new(["APP", "REPLICA", "STATE", "RELEASE", "SIZE"]);
    for dyno in &host.dynos {
        table.row([
            Cell::toned(Tone::Name, dyno.app.clone().unwrap_or_default()),
            dyno.name.clone().into(),
            Cell::toned(crate::commands::ps::list::tone(&dyno.phase), &dyno.phase),
            format!("v{}", dyno.version).into(),
            dyno.size.clone().into(),
        ]);
    }
    table.render(screen)
}
