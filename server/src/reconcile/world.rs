//! Puts wishes and facts side by side, for the plan. No decision is made here.

use std::collections::BTreeSet;

use model::fleet::Fleet;
use model::id::HostId;
use model::name::ProcessType;
use model::plan::{
    AppView, HostView, Observation, Observed, ReplicaView, ReplicaWish, Rollout, Standing, Target, World,
};
use model::release::Version;
use model::replica::{Phase, ReplicaStatus};
use store::{DesiredApp, Host, HostState, Operation, Replica};

use super::desired::Publisher;
use crate::facts::Facts;
use crate::reports::{Heard, Reports};

/// Returns what the plan looks at; `published` knows which wishes each host was last given.
pub(super) fn world(
    facts: &Facts,
    reports: &Reports,
    published: &Publisher,
    (hosts, apps): (&[Host], &[DesiredApp]),
    fleet: &Fleet,
) -> World {
    let lost: BTreeSet<HostId> =
        hosts.iter().filter(|host| host.state == HostState::Lost).map(|host| host.id).collect();
    let view = |replica: &Replica| {
        let host = replica.host_id;
        let is_informed = |heard: &Heard| heard.report.order() >= published.order(host);
        let informed = reports.of(host).is_some_and(is_informed);
        let seen = if lost.contains(&host) {
            Observation::Gone
        } else if fleet.silent.contains(&host) {
            Observation::Pending
        } else {
            observation(facts, replica, reports.status(host, replica.id), informed)
        };
        replica_view(replica, seen)
    };
    let apps =
        apps.iter().map(|desired| app_view(desired, desired.replicas.iter().map(view).collect())).collect();
    // A host that this server has not heard of takes nothing new.
    let unheard = |host: &Host| reports.of(host.id).is_none() || fleet.silent.contains(&host.id);
    let mut hosts: Vec<_> = hosts.iter().map(|host| host_view(host, unheard(host))).collect();
    hosts.sort_by_key(|host| host.id);
    World { apps, hosts }
}

/// Returns a host as placement sees it.
pub(crate) fn host_view(host: &Host, unheard: bool) -> HostView {
    let standing = match host.state {
        HostState::Ready if unheard => Standing::Silent,
        HostState::Ready => Standing::Ready,
        HostState::Draining => Standing::Draining,
        HostState::Lost | HostState::Removed => Standing::Lost,
    };
    HostView {
        id: host.id,
        zone: host.zone.clone(),
        standing,
        memory_mb: host.facts.memory_bytes.map(|bytes| bytes >> 20),
        cpu_millicores: host.facts.cpu_millicores,
    }
}

fn app_view(desired: &DesiredApp, mut replicas: Vec<ReplicaView>) -> AppView {
    replicas.sort_by_key(|replica| replica.id);
    let serving = desired.app.serving.as_ref();
    AppView {
        id: desired.app.id,
        deleted: desired.app.deleted_at.is_some(),
        serving: serving.map(|serving| target(desired, serving.version, serving.generation)),
        rollout: desired
            .operation
            .as_ref()
            .filter(|operation| !desired.unreadable.contains_key(&operation.version))
            .map(|operation| rollout(desired, operation)),
        watch: desired.watch.clone(),
        formation: desired.formation.clone(),
        alone: desired.app.settings.alone().cloned().collect(),
        replicas,
    }
}

/// Of a release that cannot be read, the types are those that run: nothing of it is dismissed for that.
fn target(desired: &DesiredApp, version: Version, generation: u64) -> Target {
    if desired.unreadable.contains_key(&version) {
        let runs = |replica: &&Replica| (replica.version, replica.generation) == (version, generation);
        let types = desired.replicas.iter().filter(runs).map(|replica| replica.process.clone());
        return Target { version, generation, types: types.filter(ProcessType::is_scalable).collect() };
    }
    let slug = desired.releases.get(&version).and_then(|release| release.slug.as_ref());
    let types = slug.map(|(_, manifest)| manifest.processes.keys().cloned().collect()).unwrap_or_default();
    Target { version, generation, types }
}

fn rollout(desired: &DesiredApp, operation: &Operation) -> Rollout {
    Rollout {
        operation: operation.id,
        target: target(desired, operation.version, operation.generation),
        phase: operation.phase,
        deadline: operation.deadline,
        boot_seconds: desired.app.settings.health.boot_seconds,
    }
}

fn replica_view(replica: &Replica, seen: Observation) -> ReplicaView {
    ReplicaView {
        id: replica.id,
        process: replica.process.clone(),
        number: replica.number,
        version: replica.version,
        generation: replica.generation,
        host: replica.host_id,
        size: replica.size,
        wish: replica.wish,
        replace: replica.replace,
        created_at: replica.created_at,
        seen,
    }
}

/// A host that knows a wish and does not report the replica has none; one that does not know it yet says nothing.
fn observation(
    facts: &Facts,
    replica: &Replica,
    status: Option<&ReplicaStatus>,
    informed: bool,
) -> Observation {
    let stopping = replica.wish == ReplicaWish::Stop;
    match status {
        Some(status) if stopping && matches!(status.phase, Phase::Ended | Phase::Impossible) => {
            Observation::Gone
        }
        Some(status) => Observation::Seen(Observed {
            phase: status.phase,
            restarts: status.restarts,
            entrance: facts.is_verified(replica.id),
            since: status.since,
            quiet: facts.is_quiet(replica.id),
            traffic: facts.traffic(replica.id),
            exit: status.last_exit.as_ref().map(|exit| exit.cause),
            reason: match status.phase {
                Phase::Healthy => facts.beyond_reach(replica.id),
                _ => reason(status),
            },
        }),
        None if stopping && informed => Observation::Gone,
        None => Observation::Pending,
    }
}

/// Returns why a replica is not healthy, as the predicate of a sentence.
pub(crate) fn reason(status: &ReplicaStatus) -> Option<String> {
    if status.phase == Phase::Healthy {
        return None;
    }
    let ended = matches!(status.phase, Phase::Backoff | Phase::Ended | Phase::Impossible);
    let probe = status.probe.as_ref().filter(|_| !ended).map(ToString::to_string);
    let exit = status.last_exit.as_ref().map(|exit| match exit.last_lines.last() {
        Some(line) => format!("{}; its last line was: {line}", exit.cause),
        None => format!("{} without a word", exit.cause),
    });
    probe.or(exit)
}
