//! Watches replicas until what was asked for is what is observed, telling each change.

use std::collections::BTreeMap;
use std::time::Duration;

use model::name::AppName;
use model::wording;

use super::list::tone;
use crate::api::process::{Dyno, FormationEntry};
use crate::api::{Api, read};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::screen::Screen;
use crate::wait;

/// As long as a rollout may take by default.
const LIMIT: Duration = Duration::from_secs(300);

/// The wanted quantity of each process type that is watched.
pub(super) type Wanted = BTreeMap<String, u64>;

/// Waits until each type has as many healthy replicas as wanted and no others, and says how long it took.
///
/// # Errors
/// The time is up, or the server cannot be asked any more.
pub(super) fn until_observed(screen: &Screen, api: &Api, app: &AppName, wanted: &Wanted) -> Result<()> {
    let start = screen.now();
    interrupt::leave_with(screen, format!("Still going on; `paasctl ps -a {app}` shows how far it is."));
    let mut told = BTreeMap::new();
    let mut last = Vec::new();
    let done = wait::until(screen, LIMIT, || {
        let entries: Vec<FormationEntry> = read(&api.all(&format!("/apps/{app}/formation"))?)?;
        let mut dynos: Vec<Dyno> = read(&api.all(&format!("/apps/{app}/dynos"))?)?;
        dynos.retain(|dyno| wanted.contains_key(&dyno.r#type));
        for line in news(screen, &mut told, &dynos) {
            screen.say(&line);
        }
        let done = is_observed(wanted, &entries, &dynos);
        last = dynos;
        Ok(done.then_some(()))
    })?;
    if done.is_none() {
        return Err(not_reached(app, wanted, &last));
    }
    screen.say(&format!("Done in {}.", wording::duration(screen.now().duration_since(start))));
    Ok(())
}

fn is_observed(wanted: &Wanted, entries: &[FormationEntry], dynos: &[Dyno]) -> bool {
    wanted.iter().all(|(process, quantity)| {
        let entry = entries.iter().find(|entry| entry.r#type == *process);
        let staying = dynos.iter().filter(|dyno| dyno.r#type == *process && !dyno.is_leaving());
        // Somebody may have changed the wish since; then theirs is what is waited for.
        let quantity = entry.map_or(*quantity, |entry| entry.quantity);
        entry.and_then(|entry| entry.observed).unwrap_or(0) == quantity && staying.count() as u64 <= quantity
    })
}

/// Returns a line for each replica that is elsewhere than when it was last told.
fn news(screen: &Screen, told: &mut BTreeMap<String, (String, String)>, dynos: &[Dyno]) -> Vec<String> {
    let mut lines = Vec::new();
    let first = told.is_empty();
    told.retain(|name, _| {
        let stays = dynos.iter().any(|dyno| dyno.name == *name);
        if !stays {
            lines.push(format!("  {name}  gone"));
        }
        stays
    });
    for dyno in dynos {
        let reason = dyno.reason.as_deref().and_then(|reason| reason.lines().next()).unwrap_or_default();
        let now = (dyno.phase().to_owned(), reason.to_owned());
        let changed = told.get(&dyno.name) != Some(&now);
        // Those that were healthy before we came are no news.
        if changed && !(first && dyno.phase() == "healthy") {
            let phase = screen.paint_status(tone(dyno.phase()), dyno.phase());
            let host = dyno.host.as_deref().filter(|_| dyno.phase() == "starting");
            let place = host.map(|host| format!(" on {host}")).unwrap_or_default();
            let why =
                if reason.is_empty() { String::new() } else { format!(": {}", wording::plain(reason, 300)) };
            lines.push(format!("  {}  {phase}{place}{why}", dyno.name));
        }
        told.insert(dyno.name.clone(), now);
    }
    lines
}

fn not_reached(app: &AppName, wanted: &Wanted, dynos: &[Dyno]) -> Error {
    let of = |(process, quantity): (&String, &u64)| {
        let healthy = dynos.iter().filter(|d| d.r#type == *process && d.phase() == "healthy").count();
        format!("{process} has {healthy} of {quantity} healthy")
    };
    let all = wanted.iter().map(of).collect::<Vec<_>>().join(", ");
    Error::failed(format!("{all} after {} min", LIMIT.as_secs() / 60)).hint(format!(
        "The platform goes on trying. `paasctl ps -a {app}` and `paasctl logs -a {app} --source platform` show why."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dynos(list: &[(&str, &str)]) -> Vec<Dyno> {
        let dyno =
            |(name, phase): &(&str, &str)| json!({"name": name, "type": "web", "phase": phase, "host": "a"});
        read(&list.iter().map(dyno).collect()).unwrap()
    }

    fn entries(quantity: u64, observed: u64) -> Vec<FormationEntry> {
        read(&json!([{"type": "web", "quantity": quantity, "observed": observed}])).unwrap()
    }

    #[test]
    fn it_is_done_when_the_healthy_ones_are_as_many_as_wanted_and_the_others_leave() {
        let wanted = Wanted::from([("web".to_owned(), 1)]);
        assert!(!is_observed(&wanted, &entries(1, 0), &dynos(&[("web.1", "starting")])));
        assert!(!is_observed(&wanted, &entries(1, 1), &dynos(&[("web.1", "healthy"), ("web.2", "healthy")])));
        assert!(is_observed(&wanted, &entries(1, 1), &dynos(&[("web.1", "healthy"), ("web.2", "stopping")])));
    }

    #[test]
    fn each_change_is_told_once() {
        let screen = Screen::plain(80);
        let mut told = BTreeMap::new();
        assert!(news(&screen, &mut told, &dynos(&[("web.1", "healthy")])).is_empty());
        let second = dynos(&[("web.1", "healthy"), ("web.2", "starting")]);
        assert_eq!(news(&screen, &mut told, &second), ["  web.2  starting on a"]);
        assert!(news(&screen, &mut told, &second).is_empty());
        assert_eq!(
            news(&screen, &mut told, &dynos(&[("web.2", "healthy")])),
            ["  web.1  gone", "  web.2  healthy"]
        );
    }
}
