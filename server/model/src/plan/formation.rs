//! Keeps what serves at its formation, and lets everything else leave without a dip in capacity.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::id::ReplicaId;
use crate::name::ProcessType;
use crate::replica::Phase;

use super::placement::{Room, Spread};
use super::rollout::replaces;
use super::view::{AppView, Observation, ReplicaView, ReplicaWish, Target};
use super::{Action, NewReplica, Plan, Waiting};

/// Brings the serving release to its formation and dismisses the rest.
pub(super) fn converge(app: &AppView, room: &mut Room, plan: &mut Plan) {
    if let Some(serving) = &app.serving {
        for process in
            serving.types.iter().filter(|process| !replaces(app, process, room)).collect::<Vec<_>>()
        {
            fill(app, serving, process, room, plan);
        }
    }
    let types: BTreeSet<&ProcessType> = app.replicas.iter().map(|replica| &replica.process).collect();
    for process in types.into_iter().filter(|process| process.is_scalable()) {
        dismiss(app, process, room, plan);
    }
}

/// Creates what a target lacks of a type and drains what it has too many of.
pub(super) fn fill(app: &AppView, target: &Target, process: &ProcessType, room: &mut Room, plan: &mut Plan) {
    let want = wanted(app, target, process) as usize;
    let mut have: Vec<&ReplicaView> =
        of_type(app, process).filter(|replica| replica.runs(target) && room.keeps(replica)).collect();
    // Those that answer and low numbers stay; of two with one number the older.
    have.sort_by_key(|replica| (replica.number as usize > want, worth(replica), replica.number, replica.id));
    // Two have one number when a host came back whose replicas had been replaced.
    let mut numbers = BTreeSet::new();
    let (mut have, mut surplus): (Vec<_>, Vec<_>) =
        have.into_iter().partition(|replica| numbers.insert(replica.number));
    surplus.extend(have.split_off(have.len().min(want)));
    surplus.sort_by_key(|replica| worth(replica));
    let helping = helping(app, process, want, (&have, &surplus));
    if !helping.is_empty() {
        let unseen = have.iter().filter(|replica| replica.is_healthy() && !replica.answers());
        plan.actions.extend(unseen.map(|replica| Action::Verify(replica.id)));
    }
    let leaving = surplus.iter().filter(|replica| !helping.contains(&replica.id));
    plan.actions.extend(leaving.map(|replica| Action::Drain(replica.id)));

    let taken: BTreeSet<u32> = have.iter().chain(&surplus).map(|replica| replica.number).collect();
    let missing = (want - have.len()).min(vacant(app, target, process, room));
    if missing > 0 {
        let numbers: Vec<u32> = (1..).filter(|number| !taken.contains(number)).take(missing).collect();
        create(app, target, (process, &numbers), room, plan);
    }
}

/// Orders replicas by how well they serve, the best first.
fn worth(replica: &ReplicaView) -> (bool, bool) {
    (!replica.answers(), !replica.is_healthy())
}

/// Returns those in surplus, given with the best first, that help out until those that stay serve.
///
/// One that answers stays until another answers in its place: to be healthy is not enough, since the entrance may not know that
/// yet. Those of which nothing is known to answer make way for healthy ones; one that is not seen just now may serve, too.
fn helping(
    app: &AppView,
    process: &ProcessType,
    want: usize,
    (have, surplus): (&[&ReplicaView], &[&ReplicaView]),
) -> BTreeSet<ReplicaId> {
    let lack =
        |serves: fn(&ReplicaView) -> bool| want - have.iter().filter(|replica| serves(replica)).count();
    let answering = surplus.iter().filter(|replica| replica.answers()).count();
    let most = lack(ReplicaView::answers).min(answering).max(lack(ReplicaView::is_healthy));
    let overlaps = !app.alone.contains(process);
    let may_serve =
        |replica: &&&ReplicaView| replica.is_healthy() || (overlaps && replica.seen == Observation::Pending);
    surplus.iter().filter(may_serve).take(most).map(|replica| replica.id).collect()
}

fn create(
    app: &AppView,
    target: &Target,
    (process, numbers): (&ProcessType, &[u32]),
    room: &mut Room,
    plan: &mut Plan,
) {
    let mut spread = Spread::of(app, target, process, room);
    let size = app.size_of(process);
    for &number in numbers {
        let (version, generation) = target.key();
        let (app, process) = (app.id, process.clone());
        match room.place(&mut spread, size) {
            Ok(host) => {
                let new = NewReplica { app, process, number, version, generation, host, once_for: None };
                plan.actions.push(Action::Create(new));
            }
            Err(reason) => plan.waiting.push(Waiting { app, process, number, version, size, reason }),
        }
    }
}

/// Returns how many replicas of a type may be created beside what is there.
fn vacant(app: &AppView, target: &Target, process: &ProcessType, room: &Room) -> usize {
    if !app.alone.contains(process) {
        return usize::MAX;
    }
    let there = || of_type(app, process).filter(|replica| may_run(replica, room));
    if there().any(|replica| (replica.version, replica.generation) != target.key()) {
        return 0;
    }
    (wanted(app, target, process) as usize).saturating_sub(there().count())
}

/// Tells whether a replica may still do something somewhere.
fn may_run(replica: &ReplicaView, room: &Room) -> bool {
    match &replica.seen {
        Observation::Pending => room.hears_of(replica),
        Observation::Seen(seen) => seen.phase != Phase::Ended,
        Observation::Gone => false,
    }
}

fn of_type<'a>(app: &'a AppView, process: &'a ProcessType) -> impl Iterator<Item = &'a ReplicaView> {
    app.replicas.iter().filter(move |replica| replica.process == *process)
}

/// Returns how many replicas of a type a target should have.
pub(super) fn wanted(app: &AppView, target: &Target, process: &ProcessType) -> u32 {
    let quantity = app.formation.get(process).map_or(0, |scale| scale.quantity);
    if target.types.contains(process) && process.is_scalable() { quantity } else { 0 }
}

/// Drains the replicas of a type that belong neither to what serves nor to the rollout.
fn dismiss(app: &AppView, process: &ProcessType, room: &Room, plan: &mut Plan) {
    let rollout = app.rollout.as_ref().map(|rollout| &rollout.target);
    let serving = app.serving.as_ref().filter(|_| !replaces(app, process, room));
    let kept = |replica: &ReplicaView| {
        room.keeps(replica) && [serving, rollout].into_iter().flatten().any(|target| replica.runs(target))
    };
    let running = || of_type(app, process).filter(|replica| replica.wish == ReplicaWish::Run);
    let mut leaving: Vec<&ReplicaView> = running().filter(|replica| !kept(replica)).collect();
    if leaving.is_empty() {
        return;
    }
    let (mut want, mut in_place) = (0, 0);
    if let Some(serving) = serving.filter(|_| !app.alone.contains(process)) {
        want = wanted(app, serving, process) as usize;
        let of_serving = || running().filter(|replica| replica.runs(serving) && room.keeps(replica));
        in_place = of_serving().filter(|replica| replica.answers()).count();
        if in_place < want {
            let unseen = of_serving().filter(|replica| replica.is_healthy() && !replica.answers());
            plan.actions.extend(unseen.map(|replica| Action::Verify(replica.id)));
        }
    }
    // Capacity never dips: one that serves stays until a wanted one answers in its place, and one that was seen to answer
    // rather than one that is only healthy. One that is not seen just now may serve, too; of a host that is lost or is to
    // be emptied only what is known to serve is counted on.
    leaving.sort_by_key(|replica| {
        let (is_heard, is_healthy) = (room.hears_of(replica), replica.is_healthy());
        let (answers, serves) = (is_heard && replica.answers(), is_heard && is_healthy);
        let reach = (!room.keeps(replica), !is_heard, !is_healthy);
        (!may_help(app, replica), !answers, !serves, reach, replica.id)
    });
    let stay = want.saturating_sub(in_place);
    let stayers = leaving.iter().take(stay).take_while(|replica| may_help(app, replica)).count();
    plan.actions.extend(leaving.into_iter().skip(stayers).map(|replica| Action::Drain(replica.id)));
}

/// Tells whether a replica that should leave may serve for want of others. What a failed rollout left behind is newer
/// than what serves and never does.
fn may_help(app: &AppView, replica: &ReplicaView) -> bool {
    let is_up = match &replica.seen {
        Observation::Pending => true,
        Observation::Seen(seen) => matches!(seen.phase, Phase::Starting | Phase::Healthy | Phase::Unhealthy),
        Observation::Gone => false,
    };
    let serving = app.serving.as_ref();
    is_up && serving.is_some_and(|serving| (replica.version, replica.generation) <= serving.key())
}

/// Stops everything of a destroyed app.
pub(super) fn dismiss_all(app: &AppView, plan: &mut Plan) {
    let running = app.replicas.iter().filter(|replica| replica.wish != ReplicaWish::Stop);
    plan.actions.extend(running.map(|replica| Action::Stop(replica.id)));
}

/// Stops drained replicas and forgets ended ones.
pub(super) fn finish_leaving(app: &AppView, now: Timestamp, plan: &mut Plan) {
    for replica in &app.replicas {
        match replica.wish {
            ReplicaWish::Drain { until } => {
                let busy = replica.process.is_web() && replica.observed().is_some_and(|seen| !seen.quiet);
                if !app.deleted && (!busy || now >= until) {
                    plan.actions.push(Action::Stop(replica.id));
                }
            }
            ReplicaWish::Stop if replica.seen == Observation::Gone => {
                plan.actions.push(Action::Forget(replica.id))
            }
            ReplicaWish::Run | ReplicaWish::Once { .. } | ReplicaWish::Stop => {}
        }
    }
}
