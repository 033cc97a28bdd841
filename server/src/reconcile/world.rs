//! Puts wishes and facts side by side, for the plan. No decision is made here.

use std::collections::BTreeMap;

use model::id::ReplicaId;
use model::name::ProcessType;
use model::plan::{
    AppView, HostView, Observation, Observed, ReplicaView, ReplicaWish, Rollout, Target, World,
};
use model::release::Version;
use model::replica::{HostReport, Phase, ReplicaStatus};
use store::{DesiredApp, Host, HostState, Operation, Replica};

use crate::facts::Facts;

/// Returns what the plan looks at; `published` is the generation of the wishes that the host was last given.
pub(super) fn world(
    facts: &Facts,
    report: &HostReport,
    published: u64,
    host: &Host,
    apps: &[DesiredApp],
) -> World {
    let statuses: BTreeMap<ReplicaId, &ReplicaStatus> =
        report.replicas.iter().map(|status| (status.id, status)).collect();
    let informed = report.generation >= published;
    let view = |replica: &Replica| {
        let seen = observation(facts, replica, statuses.get(&replica.id).copied(), informed);
        replica_view(replica, seen)
    };
    let apps =
        apps.iter().map(|desired| app_view(desired, desired.replicas.iter().map(view).collect())).collect();
    let hosts = vec![HostView { id: host.id, ready: host.state == HostState::Ready }];
    World { apps, hosts }
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
            reason: reason(status),
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
