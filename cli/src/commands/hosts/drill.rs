//! `hosts:drill`: what happens when all replicas of a host crash at once, tried out.

use std::collections::BTreeMap;
use std::time::Duration;

use model::wording;
use serde_json::{Value, json};

use super::path;
use crate::api::host::Host;
use crate::api::{Api, read};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::screen::Screen;
use crate::wait;

/// How long the replicas may take to come back.
const LIMIT: Duration = Duration::from_secs(180);

/// Try out the crash of a host (administrators only)
///
/// All its replicas are killed on purpose. It reports how long that took and how many requests failed meanwhile, as the server's router has counted them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts:drill app-2
  Killing 2 replicas on app-2.
    shop web.2 is back after 1.9 s
    shop web.4 is back after 2.0 s
  All 2 are back after 2.0 s. Of 412 requests to their apps meanwhile, none failed.")]
pub(crate) struct Drill {
    /// Its name
    host: String,

    #[command(flatten)]
    json: JsonOption,
}

impl Drill {
    /// Begins the drill and watches it to its end.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, screen, path) = (context.api()?, &context.screen, path(&self.host));
        let start = screen.now();
        let before: Host = read(&api.post(&format!("{path}/actions/drill"), &json!({}))?.body)?;
        let mut awaited: BTreeMap<String, u64> = before
            .dynos
            .iter()
            .filter(|dyno| !dyno.once)
            .map(|dyno| (dyno.id.clone(), dyno.restarts))
            .collect();
        let count = wording::count(awaited.len(), "replica");
        screen.say(&format!("Killing {count} on {}.", before.name));
        let mut last = Host::default();
        let done = wait::until(screen, LIMIT, || {
            last = read(&api.get(&path)?)?;
            awaited.retain(|id, restarts| {
                let dyno = last.dynos.iter().find(|dyno| dyno.id == *id);
                let is_back = dyno.is_none_or(|dyno| dyno.restarts > *restarts && dyno.phase == "healthy");
                if let Some(dyno) = dyno.filter(|_| is_back) {
                    let took = wording::duration(screen.now().duration_since(start));
                    screen.say(&format!("  {} is back after {took}", dyno.full_name()));
                }
                !is_back
            });
            Ok(awaited.is_empty().then_some(()))
        })?;
        let took = screen.now().duration_since(start);
        if done.is_none() {
            let names: Vec<String> = last
                .dynos
                .iter()
                .filter(|dyno| awaited.contains_key(&dyno.id))
                .map(|dyno| format!("{} is {}", dyno.full_name(), dyno.phase))
                .collect();
            return Err(Error::failed(format!(
                "not all are back after {}: {}",
                wording::duration(took),
                names.join(", ")
            ))
            .hint("The platform goes on trying. `paasctl logs --source platform` shows why."));
        }
        let (requests, failed) = asked(&api, &path, &before)?;
        let report = json!({
            "host": before.name, "replicas": before.dynos.iter().filter(|dyno| !dyno.once).count(),
            "recovery_ms": took.as_millis() as u64, "requests": requests, "failed": failed,
        });
        tell(screen, &count, &wording::duration(took), (requests, failed));
        self.json.print(context, &report)
    }
}

/// Returns how many requests the apps were asked since, and how many failed.
fn asked(api: &Api, path: &str, before: &Host) -> Result<(u64, u64)> {
    let body: Value = api.get(path)?;
    let after: Host = read(&body)?;
    let mut sums = (0, 0);
    for app in &after.apps {
        let Some(was) = before.apps.iter().find(|was| was.name == app.name) else { continue };
        sums.0 += app.requests.saturating_sub(was.requests);
        sums.1 += app.failed.saturating_sub(was.failed);
    }
    Ok(sums)
}

fn tell(screen: &Screen, count: &str, took: &str, (requests, failed): (u64, u64)) {
    let requests = match (requests, failed) {
        (0, _) => "Nobody asked their apps anything meanwhile.".to_owned(),
        (n, 0) => format!("Of {n} requests to their apps meanwhile, none failed."),
        (n, failed) => format!("Of {n} requests to their apps meanwhile, {failed} failed."),
    };
    screen.say(&format!("{count} back after {took}. {requests}"));
}
