//! Watches replicas until what was asked for is what is observed, telling each change.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
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

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Goal {
    /// The wanted quantity of each process type that is watched.
    pub(super) wanted: BTreeMap<String, u64>,
    /// The ids of replicas that must be gone.
    pub(super) leaving: Vec<String>,
}

/// From this time on that a replica waits to be started again, it will hardly come up by itself.
const LOOP_FROM: u32 = 2;

/// How often it is told what one that drains still has to finish.
const DRAINING: SignedDuration = SignedDuration::from_secs(5);

/// What was last told of each replica, by id.
type Told = BTreeMap<String, Seen>;

/// A replica as it was last told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    name: String,
    phase: String,
    /// Why it stands there, or what it still has to finish.
    detail: String,
    told_at: Timestamp,
    restarts: u64,
    /// How often it was seen waiting to be started again.
    backoffs: u32,
}

/// Waits until each type has as many healthy replicas as wanted and no others, and says how long it took.
///
/// # Errors
/// The time is up, a replica cannot be started at all, or the server cannot be asked any more.
pub(super) fn until_observed(screen: &Screen, api: &Api, app: &AppName, goal: &Goal) -> Result<()> {
    let start = screen.now();
    interrupt::leave_with(screen, format!("Still going on; `paasctl ps -a {app}` shows how far it is."));
    let mut told = Told::new();
    let mut last = Vec::new();
    let mut advised = false;
    let done = wait::until(screen, LIMIT, || {
        let entries: Vec<FormationEntry> = read(&api.all(&format!("/apps/{app}/formation"))?)?;
        let mut dynos: Vec<Dyno> = read(&api.all(&format!("/apps/{app}/dynos"))?)?;
        dynos.retain(|dyno| goal.wanted.contains_key(&dyno.r#type));
        for line in news(screen, &mut told, &dynos) {
            screen.say(&line);
        }
        if let Some(name) = looping(&told).filter(|_| !advised) {
            screen.say(&format!("  Ctrl-C leaves; `paasctl logs -a {app} --ps {name}` shows why."));
            advised = true;
        }
        if let Some(dyno) = dynos.iter().find(|dyno| dyno.phase() == "impossible") {
            return Err(impossible(app, dyno));
        }
        let done = is_observed(goal, &entries, &dynos);
        last = dynos;
        Ok(done.then_some(()))
    })?;
    if done.is_none() {
        return Err(not_reached(app, &goal.wanted, &last));
    }
    screen.say(&format!("Done in {}.", wording::duration(screen.now().duration_since(start))));
    Ok(())
}

fn is_observed(goal: &Goal, entries: &[FormationEntry], dynos: &[Dyno]) -> bool {
    let gone = !dynos.iter().any(|dyno| goal.leaving.contains(&dyno.id));
    gone && goal.wanted.iter().all(|(process, quantity)| {
        let entry = entries.iter().find(|entry| entry.r#type == *process);
        let there =
            dynos.iter().filter(|dyno| dyno.r#type == *process && dyno.phase() != "ended").count() as u64;
        // Somebody may have changed the wish since; then theirs is what is waited for.
        let quantity = entry.map_or(*quantity, |entry| entry.quantity);
        entry.and_then(|entry| entry.observed).unwrap_or(0) == quantity && there == quantity
    })
}

/// Returns a line for each replica that is elsewhere than when it was last told.
fn news(screen: &Screen, told: &mut Told, dynos: &[Dyno]) -> Vec<String> {
    let mut lines = Vec::new();
    let first = told.is_empty();
    told.retain(|id, seen| {
        let stays = dynos.iter().any(|dyno| dyno.id == *id);
        if !stays {
            lines.push(format!("  {}  gone", seen.name));
        }
        stays
    });
    for dyno in dynos {
        let known = told.get(&dyno.id);
        let mut now = seen(dyno, known, screen.now());
        let rests = |known: &&Seen| !is_news(known, &now);
        if let Some(known) = known.filter(rests) {
            // What is not told now may be later.
            (now.detail, now.told_at) = (known.detail.clone(), known.told_at);
        } else if !(first && dyno.phase() == "healthy") {
            // Those that were healthy before we came are no news.
            lines.push(told_line(screen, dyno));
        }
        told.insert(dyno.id.clone(), now);
    }
    lines
}

/// Tells whether a replica is elsewhere than it was told to be. One that drains counts down all the time.
fn is_news(known: &Seen, now: &Seen) -> bool {
    let moved = (&known.name, &known.phase) != (&now.name, &now.phase);
    let rested = now.phase != "draining" || now.told_at.duration_since(known.told_at) >= DRAINING;
    moved || (known.detail != now.detail && rested)
}

fn seen(dyno: &Dyno, known: Option<&Seen>, now: Timestamp) -> Seen {
    let (phase, restarts) = (dyno.phase().to_owned(), dyno.restarts.unwrap_or(0));
    // Between two looks it may have been started and have crashed again.
    let is_another = known.is_none_or(|known| known.phase != phase || known.restarts != restarts);
    let another = u32::from(phase == "backoff" && is_another);
    let backoffs = known.map_or(0, |known| known.backoffs) + another;
    let detail = if phase == "draining" { dyno.standing() } else { reason_worth_telling(dyno).to_owned() };
    Seen { name: dyno.name.clone(), phase, detail, told_at: now, restarts, backoffs }
}

/// Returns the name of a replica that crashes again and again.
fn looping(told: &Told) -> Option<&str> {
    told.values().find(|seen| seen.backoffs >= LOOP_FROM).map(|seen| seen.name.as_str())
}

/// While a replica starts, that it does not listen yet is no news.
fn reason_worth_telling(dyno: &Dyno) -> &str {
    let first = dyno.reason.as_deref().and_then(|reason| reason.lines().next());
    first.filter(|_| dyno.phase() != "starting").unwrap_or_default()
}

fn told_line(screen: &Screen, dyno: &Dyno) -> String {
    let (phase, reason) =
        (screen.paint_status(tone(dyno.phase()), &dyno.standing()), reason_worth_telling(dyno));
    let host = dyno.host.as_deref().filter(|_| dyno.phase() == "starting");
    let place = host.map(|host| format!(" on {host}")).unwrap_or_default();
    let why = if reason.is_empty() { String::new() } else { format!(": {}", wording::plain(reason, 300)) };
    format!("  {}  {phase}{place}{why}", dyno.name)
}

fn impossible(app: &AppName, dyno: &Dyno) -> Error {
    let reason = dyno.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Error::failed(format!("{} cannot be started{reason}", dyno.name))
        .hint(format!("`paasctl logs -a {app} --source platform` shows more."))
}

fn not_reached(app: &AppName, wanted: &BTreeMap<String, u64>, dynos: &[Dyno]) -> Error {
    let of = |(process, quantity): (&String, &u64)| {
        let healthy = dynos.iter().filter(|d| d.r#type == *process && d.phase() == "healthy").count();
        format!("{process} has {healthy} of {quantity} healthy")
    };
    let all = wanted.iter().map(of).collect::<Vec<_>>().join(", ");
    let why = dynos.iter().find_map(|dyno| Some(format!("; {} {}", dyno.name, dyno.reason.as_deref()?)));
    let why = why.unwrap_or_default();
    Error::failed(format!("{all} after {} min{why}", LIMIT.as_secs() / 60)).hint(format!(
        "The platform goes on trying. `paasctl ps -a {app}` and `paasctl logs -a {app} --source platform` show why."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dynos(list: &[(&str, &str)]) -> Vec<Dyno> {
        let dyno = |(name, phase): &(&str, &str)| json!({"id": format!("id of {name}"), "name": name, "type": "web", "phase": phase, "host": "a"});
        read(&list.iter().map(dyno).collect()).unwrap()
    }

    fn entries(quantity: u64, observed: u64) -> Vec<FormationEntry> {
        read(&json!([{"type": "web", "quantity": quantity, "observed": observed}])).unwrap()
    }

    #[test]
    fn it_is_done_when_there_are_as_many_as_wanted_all_healthy_and_no_others() {
        let goal = Goal { wanted: [("web".to_owned(), 1)].into(), leaving: Vec::new() };
        assert!(!is_observed(&goal, &entries(1, 0), &dynos(&[("web.1", "starting")])));
        assert!(!is_observed(&goal, &entries(1, 1), &dynos(&[("web.1", "healthy"), ("web.2", "stopping")])));
        assert!(is_observed(&goal, &entries(1, 1), &dynos(&[("web.1", "healthy")])));
        let replaced = Goal { leaving: vec!["id of web.1".to_owned()], ..goal };
        assert!(!is_observed(&replaced, &entries(1, 1), &dynos(&[("web.1", "healthy")])));
    }

    #[test]
    fn one_that_drains_is_told_of_when_its_numbers_change_and_every_five_seconds_at_most() {
        let start: Timestamp = "2026-01-02T03:04:00Z".parse().unwrap();
        let mut told = Told::new();
        let mut lines_at = |second: i64, in_flight: u64| {
            let now = start + SignedDuration::from_secs(second);
            let screen = Screen::plain(80).at(now);
            let reason = format!("finishes what it has, within {} s", 30 - second);
            let dyno = json!([{"id": "1", "name": "web.1", "type": "web", "phase": "draining", "in_flight": in_flight, "reason": reason}]);
            news(&screen, &mut told, &read::<Vec<Dyno>>(&dyno).unwrap())
        };
        assert_eq!(lines_at(0, 3), ["  web.1  draining (3 in flight): finishes what it has, within 30 s"]);
        assert!((1..5).all(|second| lines_at(second, 2).is_empty()), "the seconds are no news");
        assert_eq!(lines_at(5, 2), ["  web.1  draining (2 in flight): finishes what it has, within 25 s"]);
        assert!((6..20).all(|second| lines_at(second, 2).is_empty()));
    }

    #[test]
    fn each_change_is_told_once() {
        let screen = Screen::plain(80);
        let mut told = Told::new();
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
