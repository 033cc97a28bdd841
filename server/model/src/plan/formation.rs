//! Keeps what serves at its formation, and lets everything else leave without a dip in capacity.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::name::ProcessType;

use super::placement::Room;
use super::view::{AppView, Observation, ReplicaView, ReplicaWish, Target};
use super::{Action, NewReplica, Plan};

/// Brings the serving release to its formation and dismisses the rest.
pub(super) fn converge(app: &AppView, room: &mut Room, plan: &mut Plan) {
    if let Some(serving) = &app.serving {
        fill(app, serving, room, plan);
    }
    let types: BTreeSet<&ProcessType> = app.replicas.iter().map(|replica| &replica.process).collect();
    for process in types.into_iter().filter(|process| process.is_scalable()) {
        dismiss(app, process, room, plan);
    }
}

/// Creates what a target lacks and drains what it has too many of, type by type.
pub(super) fn fill(app: &AppView, target: &Target, room: &mut Room, plan: &mut Plan) {
    for process in &target.types {
        let want = wanted(app, target, process);
        let mut have: Vec<&ReplicaView> = app
            .replicas
            .iter()
            .filter(|replica| replica.process == *process && replica.runs(target) && room.keeps(replica))
            .collect();
        // Healthy ones and low numbers stay; of two with one number the older.
        have.sort_by_key(|replica| {
            (replica.number > want, !replica.is_healthy(), replica.number, replica.id)
        });
        let surplus = have.split_off(have.len().min(want as usize));
        plan.actions.extend(surplus.into_iter().map(|replica| Action::Drain(replica.id)));

        let taken: BTreeSet<u32> = have.iter().map(|replica| replica.number).collect();
        let missing = (want as usize).saturating_sub(have.len());
        for number in (1..).filter(|number| !taken.contains(number)).take(missing) {
            let Some(host) = room.place(app.id, process) else {
                plan.waiting.push((app.id, format!("{process}.{number} waits for a host that is ready")));
                continue;
            };
            let (version, generation) = target.key();
            let process = process.clone();
            plan.actions.push(Action::Create(NewReplica {
                app: app.id,
                process,
                number,
                version,
                generation,
                host,
                once_for: None,
            }));
        }
    }
}

/// Returns how many replicas of a type a target should have.
pub(super) fn wanted(app: &AppView, target: &Target, process: &ProcessType) -> u32 {
    let quantity = app.formation.get(process).map_or(0, |scale| scale.quantity);
    if target.types.contains(process) && process.is_scalable() { quantity } else { 0 }
}

/// Drains the replicas of a type that belong neither to what serves nor to the rollout.
fn dismiss(app: &AppView, process: &ProcessType, room: &Room, plan: &mut Plan) {
    let rollout = app.rollout.as_ref().map(|rollout| &rollout.target);
    let kept = |replica: &ReplicaView| {
        room.keeps(replica) && [app.serving.as_ref(), rollout].into_iter().flatten().any(|t| replica.runs(t))
    };
    let of_type = || {
        app.replicas.iter().filter(|replica| replica.process == *process && replica.wish == ReplicaWish::Run)
    };
    let mut leaving: Vec<&ReplicaView> = of_type().filter(|replica| !kept(replica)).collect();

    let want = app.serving.as_ref().map_or(0, |serving| wanted(app, serving, process)) as usize;
    let in_place = |replica: &&ReplicaView| {
        app.serving.as_ref().is_some_and(|s| replica.runs(s)) && replica.is_healthy()
    };
    let stay = want.saturating_sub(of_type().filter(in_place).filter(|r| room.keeps(r)).count());

    // Capacity never dips: one that serves stays until a wanted one is healthy in its place. What a failed rollout
    // left behind is newer than what serves and never takes its place.
    let may_stay = |replica: &ReplicaView| {
        replica.is_healthy()
            && app
                .serving
                .as_ref()
                .is_some_and(|serving| (replica.version, replica.generation) <= serving.key())
    };
    leaving.sort_by_key(|replica| (!may_stay(replica), replica.id));
    let stayers = leaving.iter().take(stay).take_while(|replica| may_stay(replica)).count();
    plan.actions.extend(leaving.into_iter().skip(stayers).map(|replica| Action::Drain(replica.id)));
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
                let busy =
                    replica.process.is_web() && replica.observed().is_some_and(|seen| seen.in_flight > 0);
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
