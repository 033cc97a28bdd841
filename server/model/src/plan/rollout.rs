//! Takes a rollout one step further: release command, new replicas, the check through the entrance, the switch.

use jiff::{SignedDuration, Timestamp};

use crate::exit::ExitCause;
use crate::name::ProcessType;
use crate::replica::Phase;

use super::formation::{fill, wanted};
use super::one_off::{has_ended, is_release_command};
use super::placement::{Room, Spread};
use super::view::{AppView, Observed, ReplicaView, Rollout, RolloutPhase};
use super::{Action, MAKES_ROOM, NewReplica, Plan, Waiting};

/// How often a new replica may end before its rollout fails: the first end may be a hiccup, the second is a fact.
const ENDS_ALLOWED: u32 = 1;

/// Decides the next step of the app's rollout, if it has one.
pub(super) fn advance(app: &AppView, now: Timestamp, room: &mut Room, plan: &mut Plan) {
    let Some(rollout) = &app.rollout else { return };
    if let Some(reason) = failure(app, rollout, room, now) {
        plan.actions.push(Action::Fail(rollout.operation, reason));
        return;
    }
    match rollout.phase {
        RolloutPhase::ReleaseCommand => release_command(app, rollout, room, plan),
        RolloutPhase::Rolling => roll(app, rollout, room, plan),
    }
}

fn release_command(app: &AppView, rollout: &Rollout, room: &mut Room, plan: &mut Plan) {
    let command = app.replicas.iter().find(|replica| is_release_command(app, replica));
    if command.is_some_and(has_ended) {
        plan.actions.push(Action::Advance(rollout.operation));
    } else if command.is_none() {
        let process = ProcessType::release();
        let (version, generation) = rollout.target.key();
        let number = u32::try_from(version.0).unwrap_or(u32::MAX);
        let (size, once_for) = (app.size_of(&process), Some(rollout.operation));
        let mut spread = Spread::of(app, &rollout.target, &process, room);
        let app = app.id;
        match room.place(&mut spread, size) {
            Ok(host) => {
                let new = NewReplica { app, process, number, version, generation, host, once_for };
                plan.actions.push(Action::Create(new));
            }
            Err(reason) => plan.waiting.push(Waiting { app, process, number, version, size, reason }),
        }
    }
}

fn roll(app: &AppView, rollout: &Rollout, room: &mut Room, plan: &mut Plan) {
    for process in &rollout.target.types {
        // Those that replace the old ones instead of joining them come last, when nothing else can fail any more.
        if !app.alone.contains(process) || replaces(app, process, room) {
            fill(app, &rollout.target, process, room, plan);
        }
    }
    let unverified = |replica: &&ReplicaView| replica.is_healthy() && !replica.answers();
    let unverified = replicas_of(app, rollout).filter(unverified);
    plan.actions.extend(unverified.map(|replica| Action::Verify(replica.id)));
    if rollout.target.types.iter().all(|process| is_done(app, rollout, process, room)) {
        plan.actions.push(Action::Switch(rollout.operation));
    }
}

/// Tells whether the old replicas of a type make way now for those of the rollout: those of all types that may run
/// side by side answer already.
pub(super) fn replaces(app: &AppView, process: &ProcessType, room: &Room) -> bool {
    let Some(rollout) = &app.rollout else { return false };
    let types = &rollout.target.types;
    rollout.phase == RolloutPhase::Rolling
        && app.alone.contains(process)
        && types.contains(process)
        && types
            .iter()
            .filter(|other| !app.alone.contains(*other))
            .all(|other| is_done(app, rollout, other, room))
}

/// Tells whether as many new replicas of a type answer as are wanted.
fn is_done(app: &AppView, rollout: &Rollout, process: &ProcessType, room: &Room) -> bool {
    let of_type = replicas_of(app, rollout).filter(|replica| replica.process == *process);
    let ready = of_type.filter(|replica| replica.answers() && room.keeps(replica));
    ready.count() >= wanted(app, &rollout.target, process) as usize
}

fn replicas_of<'a>(app: &'a AppView, rollout: &'a Rollout) -> impl Iterator<Item = &'a ReplicaView> {
    app.replicas.iter().filter(|replica| replica.runs(&rollout.target))
}

/// Returns why the rollout cannot succeed any more, as a sentence for the app's owner.
fn failure(app: &AppView, rollout: &Rollout, room: &Room, now: Timestamp) -> Option<String> {
    if rollout.phase == RolloutPhase::ReleaseCommand {
        let command = app.replicas.iter().find(|replica| is_release_command(app, replica));
        if let Some(reason) = command.and_then(command_failure) {
            return Some(reason);
        }
    } else if let Some(reason) = replicas_of(app, rollout).find_map(|r| replica_failure(r, rollout, now)) {
        return Some(reason);
    }
    if now < rollout.deadline {
        return None;
    }
    if let Some((name, why)) = without_room(app, rollout, room) {
        return Some(format!("there was no room for {name} in time: {why}; {MAKES_ROOM}"));
    }
    if rollout.phase == RolloutPhase::ReleaseCommand {
        return Some("the release command was not done in its time".to_owned());
    }
    Some(match replicas_of(app, rollout).find(|replica| !replica.answers()) {
        Some(replica) => format!("the time for it was over; {}", state_in_words(replica)),
        None => match lingering(app, rollout, room) {
            Some(old) => {
                format!("the time for it was over; {} of {} had not stopped", old.name(), old.version)
            }
            None => "the time for it was over".to_owned(),
        },
    })
}

/// Returns something that has no place, and why there is none.
fn without_room(app: &AppView, rollout: &Rollout, room: &Room) -> Option<(String, String)> {
    if rollout.phase == RolloutPhase::ReleaseCommand {
        let lack = room.lack(app.size_of(&ProcessType::release()))?;
        let placed = app.replicas.iter().any(|replica| is_release_command(app, replica));
        return (!placed).then(|| ("the release command".to_owned(), lack));
    }
    rollout.target.types.iter().find_map(|process| {
        let there = |replica: &&ReplicaView| replica.process == *process && room.keeps(replica);
        let placed = replicas_of(app, rollout).filter(there).count();
        let lack = room.lack(app.size_of(process))?;
        (placed < wanted(app, &rollout.target, process) as usize).then(|| (process.to_string(), lack))
    })
}

/// Returns an old replica that must stop before a new one starts.
fn lingering<'a>(app: &'a AppView, rollout: &Rollout, room: &Room) -> Option<&'a ReplicaView> {
    let is_old = |replica: &&ReplicaView| (replica.version, replica.generation) != rollout.target.key();
    app.replicas.iter().filter(is_old).find(|replica| replaces(app, &replica.process, room))
}

fn command_failure(replica: &ReplicaView) -> Option<String> {
    if !has_ended(replica) {
        return None;
    }
    match replica.observed() {
        Some(seen) if seen.exit.is_some_and(ExitCause::is_success) => None,
        Some(seen) => Some(format!("the release command {}", because(seen))),
        None => Some("the release command went down with its host".to_owned()),
    }
}

fn replica_failure(replica: &ReplicaView, rollout: &Rollout, now: Timestamp) -> Option<String> {
    let boot = SignedDuration::from_secs(i64::from(rollout.boot_seconds));
    let seen = replica.observed()?;
    if seen.phase == Phase::Impossible || (seen.exit.is_some() && seen.restarts > ENDS_ALLOWED) {
        return Some(format!("{} {}", replica.name(), because(seen)));
    }
    let late = !replica.is_healthy() && now.duration_since(replica.created_at) >= boot;
    late.then(|| format!("{} after {} s", state_in_words(replica), rollout.boot_seconds))
}

fn state_in_words(replica: &ReplicaView) -> String {
    match replica.observed() {
        Some(Observed { phase: Phase::Healthy, reason: Some(reason), .. }) => {
            format!("{} {reason}", replica.name())
        }
        Some(seen) if seen.phase == Phase::Healthy => {
            format!("{} did not answer through the router", replica.name())
        }
        Some(seen) if seen.reason.is_some() => format!("{} {}", replica.name(), because(seen)),
        _ => format!("{} was not healthy", replica.name()),
    }
}

fn because(seen: &Observed) -> String {
    let exit = || seen.exit.map(|exit| exit.to_string());
    seen.reason.clone().or_else(exit).unwrap_or_else(|| "could not be started".to_owned())
}
