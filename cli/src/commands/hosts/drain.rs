//! `hosts:drain`: replicas leave a host one after the other, as others answer in their place elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use model::wording;
use serde_json::{Value, json};

use super::path;
use crate::api::host::Host;
use crate::api::{Api, read};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::screen::Screen;
use crate::wait;
use crate::when;

/// How long it is watched unless something else is asked for.
const LIMIT: SignedDuration = SignedDuration::from_mins(10);

/// Move a host's replicas elsewhere (administrators only)
///
/// Each leaves when another answers in its place. The host takes no new replicas until `hosts:resume`. Where there is no room for one elsewhere, it stays and serves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:drain app-2
  Draining app-2: 2 replicas are to leave.
    shop web.2 has left
    shop web.4 has left
  Nothing runs on app-2 any more, after 6.2 s. It may be switched off;
  `paasctl hosts:resume app-2` takes it back.")]
pub(crate) struct Drain {
    /// Its name
    host: String,

    /// Wait until nothing runs there; this is the default
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,

    /// Do not wait
    #[arg(long)]
    no_wait: bool,

    /// How long to wait, such as 30m
    #[arg(long, value_name = "TIME", value_parser = when::parse_duration)]
    timeout: Option<SignedDuration>,

    #[command(flatten)]
    json: JsonOption,
}

impl Drain {
    /// Says that it drains, then watches it empty.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let path = path(&self.host);
        let body = api.post(&format!("{path}/actions/drain"), &json!({}))?.body;
        let host: Host = read(&body)?;
        let (screen, name) = (&context.screen, &host.name);
        let count = wording::count(usize::try_from(host.replicas).unwrap_or(usize::MAX), "replica");
        screen.say(&format!("Draining {name}: {count} to leave."));
        if self.no_wait {
            screen.say(&format!("`paasctl hosts:info {name}` shows how far it is."));
            return self.json.print(context, &body);
        }
        let limit = Duration::try_from(self.timeout.unwrap_or(LIMIT)).unwrap_or_default();
        let last = until_empty(screen, &api, &path, host, limit)?;
        if self.json.json { screen.json(&last) } else { Ok(()) }
    }
}

fn until_empty(screen: &Screen, api: &Api, path: &str, host: Host, limit: Duration) -> Result<Value> {
    let (start, name) = (screen.now(), host.name.clone());
    interrupt::leave_with(
        screen,
        format!("Still going on; `paasctl hosts:info {name}` shows how far it is."),
    );
    let mut told = Told::of(&host);
    let mut left = host;
    let done = wait::until(screen, limit, || {
        let body = api.get(path)?;
        left = read(&body)?;
        if left.state == "ready" {
            return Err(Error::failed(format!("somebody has resumed {name} meanwhile")));
        }
        told.news(&left).iter().for_each(|line| screen.say(line));
        Ok((left.replicas == 0).then_some(body))
    })?;
    let took = wording::duration(screen.now().duration_since(start));
    let Some(body) = done else { return Err(not_empty(&left, &took)) };
    screen.say(&format!(
        "Nothing runs on {name} any more, after {took}. It may be switched off;\n`paasctl hosts:resume {name}` takes it back."
    ));
    Ok(body)
}

/// What was told so far.
struct Told {
    there: BTreeMap<String, String>,
    waiting: BTreeSet<String>,
}

impl Told {
    fn of(host: &Host) -> Self {
        Self { there: there(host), waiting: BTreeSet::new() }
    }

    /// Returns a line for each replica that has left, and for each that cannot.
    fn news(&mut self, host: &Host) -> Vec<String> {
        let now = there(host);
        let left = self.there.iter().filter(|(id, _)| !now.contains_key(*id));
        let mut lines: Vec<String> = left.map(|(_, name)| format!("  {name} has left")).collect();
        self.there = now;
        for waiting in &host.waiting {
            let line = format!("  {} {} waits: {}", waiting.app, waiting.name, waiting.reason);
            if self.waiting.insert(line.clone()) {
                lines.push(line);
            }
        }
        lines
    }
}

fn there(host: &Host) -> BTreeMap<String, String> {
    host.dynos.iter().map(|dyno| (dyno.id.clone(), dyno.full_name())).collect()
}

fn not_empty(host: &Host, took: &str) -> Error {
    let names: Vec<String> = host.dynos.iter().take(5).map(|dyno| dyno.full_name()).collect();
    let count = wording::count(usize::try_from(host.replicas).unwrap_or(usize::MAX), "replica");
    let why = host.waiting.first().map(|waiting| format!("; {}", waiting.reason)).unwrap_or_default();
    Error::failed(format!("{count} still on {} after {took}: {}{why}", host.name, names.join(", ")))
        .hint(format!("It goes on. `paasctl hosts:info {}` shows how far it is.", host.name))
}
