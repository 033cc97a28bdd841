//! Decides what to do next on a host. Nothing here does it.
//!
//! One path for all: a replica that should run and does not is started, after a pause if it ended by itself; one
//! that runs and should not is stopped; what is left of one that nobody asks for is removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::id::ReplicaId;
use model::replica::{HostDesired, ReplicaSpec, Wish};
use serde::{Deserialize, Serialize};

use crate::backoff;

/// How much later than its stop time a replica may end before its supervisor is taken for hung.
const OVERDUE: SignedDuration = SignedDuration::from_secs(10);

/// What is known of the replicas on this host.
pub(crate) type Observed = BTreeMap<ReplicaId, Seen>;

/// What is known of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where its process stands.
    pub(crate) run: Run,
    /// A step for it is under way; it gets no other until that is done.
    pub(crate) busy: bool,
    /// Mounts, a cgroup or files of a run are left on the host.
    pub(crate) leftovers: bool,
    /// Ends in a row that nobody asked for.
    pub(crate) ends: u32,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub(crate) stop_seconds: u32,
}

/// Where a replica's process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// It was never started here.
    Never,
    /// It runs.
    Up {
        /// Since when.
        since: Timestamp,
        /// When it was told to end, if it was.
        stopping: Option<Stopping>,
    },
    /// It ended.
    Down {
        /// When.
        at: Timestamp,
    },
    /// It could not be started.
    Refused {
        /// When.
        at: Timestamp,
        /// Trying again will not help unless something is changed.
        for_good: bool,
    },
}

/// A stop that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// When SIGTERM was sent.
    pub(crate) since: Timestamp,
    /// Whether all of it was killed from outside.
    pub(crate) killed: bool,
}

/// One thing to do with one replica. Each may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Start its process.
    Start(ReplicaId),
    /// Tell it to end.
    Stop(ReplicaId, Why),
    /// Kill it and its supervisor, which did not manage to.
    Kill(ReplicaId),
    /// Remove mounts, cgroup and files of its run, and remember how it ended.
    Clean(ReplicaId),
    /// Remove all of it.
    Forget(ReplicaId),
}

/// Why a replica is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// The control plane wishes it, or does not know it.
    Wished,
    /// It ran for longer than it may, in seconds.
    TimeLimit(u32),
}

/// What to do now, and when to look again if nothing happens before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// At most one step for each replica, in the order of their ids.
    pub(crate) steps: Vec<Step>,
    /// The earliest time at which something becomes due.
    pub(crate) wake: Option<Timestamp>,
}

/// Returns what brings the host nearer to what is desired.
pub(crate) fn converge(desired: &HostDesired, observed: &Observed, now: Timestamp) -> Plan {
    let specs: BTreeMap<_, _> = desired.replicas.iter().map(|spec| (spec.id, spec)).collect();
    let ids: BTreeSet<_> = specs.keys().chain(observed.keys()).copied().collect();
    let mut plan = Plan::default();
    // What is to be kept and has no spec is left alone, whatever becomes of it.
    for id in ids.into_iter().filter(|id| specs.contains_key(id) || !desired.kept.contains(id)) {
        match next(id, specs.get(&id).copied(), observed.get(&id), now) {
            Next::Step(step) => plan.steps.push(step),
            Next::At(time) => plan.wake = Some(plan.wake.map_or(time, |wake| wake.min(time))),
            Next::Nothing => {}
        }
    }
    plan
}

enum Next {
    Step(Step),
    At(Timestamp),
    Nothing,
}

fn next(id: ReplicaId, spec: Option<&ReplicaSpec>, seen: Option<&Seen>, now: Timestamp) -> Next {
    let wish = spec.map(|spec| spec.wish);
    let Some(seen) = seen else {
        // What was stopped before it ever ran here is over.
        return match wish {
            Some(Wish::Run | Wish::Once { .. }) => Next::Step(Step::Start(id)),
            Some(Wish::Stop) | None => Next::Nothing,
        };
    };
    if seen.busy {
        return Next::Nothing;
    }
    match (wish, seen.run) {
        (_, Run::Up { stopping: Some(stopping), .. }) => overdue(id, seen, stopping, now),
        (Some(Wish::Run), Run::Up { .. }) => Next::Nothing,
        (Some(Wish::Once { seconds }), Run::Up { since, .. }) => {
            let end = since + SignedDuration::from_secs(seconds.into());
            when(now, end, Step::Stop(id, Why::TimeLimit(seconds)))
        }
        (Some(Wish::Stop) | None, Run::Up { .. }) => Next::Step(Step::Stop(id, Why::Wished)),
        (None, _) => Next::Step(Step::Forget(id)),
        (Some(Wish::Run | Wish::Once { .. }), Run::Never) => Next::Step(Step::Start(id)),
        (Some(Wish::Run), Run::Down { at } | Run::Refused { at, .. }) => {
            // A clock that was set back must not hold a replica down for longer than its pause.
            let due = if now < at { now } else { at + backoff::pause(seen.ends) };
            when(now, due, Step::Start(id))
        }
        (Some(Wish::Stop | Wish::Once { .. }), _) if seen.leftovers => Next::Step(Step::Clean(id)),
        (Some(Wish::Stop | Wish::Once { .. }), _) => Next::Nothing,
    }
}

fn overdue(id: ReplicaId, seen: &Seen, stopping: Stopping, now: Timestamp) -> Next {
    if stopping.killed {
        return Next::Nothing;
    }
    let end = stopping.since + SignedDuration::from_secs(seen.stop_seconds.into()) + OVERDUE;
    when(now, end, Step::Kill(id))
}

fn when(now: Timestamp, due: Timestamp, step: Step) -> Next {
    if now >= due { Next::Step(step) } else { Next::At(due) }
}

#[cfg(test)]
mod tests;
