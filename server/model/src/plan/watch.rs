//! Watches what serves for a while after its rollout: it has stood the watch, or it fails and is reverted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::exit::ExitCause;
use crate::name::ProcessType;
use crate::replica::Phase;
use crate::watch::{Before, Fault, Traffic, Watch};
use crate::wording;

use super::view::{AppView, Observed, ReplicaView, Target};
use super::{Action, Plan};

/// How often one replica may end within the watch: the first end may be a hiccup, the second is a fact.
const ENDS_ALLOWED: u32 = 1;

/// How long failed probes may last: a pause of the app's own is no fault of its release.
const UNHEALTHY: SignedDuration = SignedDuration::from_secs(5);

/// A replica that is up again for this long after an end counts as steady.
const STEADY: SignedDuration = SignedDuration::from_mins(10);

/// Ends the watch, or the release.
pub(super) fn keep(app: &AppView, now: Timestamp, plan: &mut Plan) {
    let Some(watch) = &app.watch else { return };
    let serving = app.serving.as_ref().filter(|target| target.key() == (watch.version, watch.generation));
    let Some(serving) = serving.filter(|_| now < watch.until && app.rollout.is_none()) else {
        plan.actions.push(Action::EndWatch(app.id));
        return;
    };
    let watched: Vec<_> = app.replicas.iter().filter(|replica| replica.runs(serving)).collect();
    let fault =
        crash(&watched, watch).or_else(|| probe(&watched, watch, now)).or_else(|| errors(&watched, watch));
    plan.actions.extend(fault.map(|fault| Action::Revert(app.id, fault)));
}

/// Returns how things stand before `target` takes the place of what serves.
#[must_use]
pub fn before(app: &AppView, target: &Target, now: Timestamp) -> Before {
    let of = |target: &Target| {
        let key = target.key();
        let seen = app.replicas.iter().filter(move |replica| (replica.version, replica.generation) == key);
        seen.filter_map(|replica| Some((replica, replica.observed()?)))
    };
    let old: Vec<_> = app.serving.as_ref().into_iter().flat_map(of).collect();
    let unsteady = old.iter().filter(|(_, seen)| !is_steady(seen, now));
    Before {
        traffic: old.iter().map(|(_, seen)| seen.traffic).sum(),
        unsteady: unsteady.map(|(replica, _)| replica.process.clone()).collect(),
        restarts: of(target)
            .filter(|(_, seen)| seen.restarts > 0)
            .map(|(r, seen)| (r.id, seen.restarts))
            .collect(),
    }
}

fn is_steady(seen: &Observed, now: Timestamp) -> bool {
    let recent = seen.restarts > 0 && now.duration_since(seen.since) < STEADY;
    !recent && !matches!(seen.phase, Phase::Backoff | Phase::Unhealthy | Phase::Impossible)
}

/// Returns how often a replica ended since the watch began. That its host went down is not its fault.
fn ends(replica: &ReplicaView, watch: &Watch) -> u32 {
    let Some(seen) = replica.observed().filter(|seen| seen.exit != Some(ExitCause::Lost)) else { return 0 };
    let before = watch.before.restarts.get(&replica.id).copied().unwrap_or(0);
    let ended = matches!(seen.phase, Phase::Backoff | Phase::Impossible);
    (seen.restarts + u32::from(ended)).saturating_sub(before)
}

fn crash(watched: &[&ReplicaView], watch: &Watch) -> Option<Fault> {
    let judged = || watched.iter().filter(|replica| !watch.before.unsteady.contains(&replica.process));
    let within = format!("within {} s after the rollout", watch.until.duration_since(watch.since).as_secs());
    let rule = format!(
        "one replica crashes {} times {within}, or more than half of its type once each",
        ENDS_ALLOWED + 1
    );
    if let Some(replica) = judged().find(|replica| ends(replica, watch) > ENDS_ALLOWED) {
        let times = wording::count(ends(replica, watch) as usize, "time");
        let reason = format!("{} crashed {times} {within}: {}", replica.name(), how(replica));
        return Some(Fault { reason, rule });
    }
    let mut by_type: BTreeMap<&ProcessType, (usize, Vec<&ReplicaView>)> = BTreeMap::new();
    for replica in judged() {
        let (all, crashed) = by_type.entry(&replica.process).or_default();
        *all += 1;
        crashed.extend((ends(replica, watch) > 0).then_some(*replica));
    }
    let most = by_type.iter().find(|(_, (all, crashed))| crashed.len() > 1 && 2 * crashed.len() > *all);
    most.map(|(process, (all, crashed))| {
        let crashes = format!("{} of {all} {process} replicas crashed {within}", crashed.len());
        Fault { reason: format!("{crashes}: {}", how(crashed[0])), rule }
    })
}

fn how(replica: &ReplicaView) -> String {
    let seen = replica.observed();
    let reason = seen.and_then(|seen| seen.reason.clone().filter(|_| seen.phase == Phase::Backoff));
    let exit = || seen.and_then(|seen| seen.exit).map(|exit| exit.to_string());
    reason.or_else(exit).unwrap_or_else(|| "nobody saw how".to_owned())
}

fn probe(watched: &[&ReplicaView], watch: &Watch, now: Timestamp) -> Option<Fault> {
    let failing = |replica: &&&ReplicaView| {
        let since = replica.observed().filter(|seen| seen.phase == Phase::Unhealthy).map(|seen| seen.since);
        since.is_some_and(|since| now.duration_since(since) >= UNHEALTHY)
            && !watch.before.unsteady.contains(&replica.process)
    };
    let replica = watched.iter().find(failing)?;
    let why = replica.observed().and_then(|seen| seen.reason.as_deref());
    let why = why.map(|why| format!(": it {why}")).unwrap_or_default();
    let seconds = UNHEALTHY.as_secs();
    Some(Fault {
        reason: format!("{} failed its health checks for {seconds} s{why}", replica.name()),
        rule: format!("the health checks of one replica fail for {seconds} s"),
    })
}

fn errors(watched: &[&ReplicaView], watch: &Watch) -> Option<Fault> {
    let traffic: Traffic = watched.iter().filter_map(|replica| Some(replica.observed()?.traffic)).sum();
    let before = watch.before.traffic;
    if !traffic.is_far_above(before) {
        return None;
    }
    let had = match before.requests {
        0 => "had no requests to compare with".to_owned(),
        _ => format!("had {before}"),
    };
    let Traffic { requests, errors } = traffic;
    let reason = format!(
        "{traffic} of requests were answered 5xx or not at all ({errors} of {requests}), {} {had}",
        watch.fallback
    );
    Some(Fault { reason, rule: Traffic::rule() })
}
