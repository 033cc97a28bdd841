//! Replicas as they are: what was wished, what was observed, and why one is not up.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::id::ReleaseId;
use model::plan::{ReplicaWish, Waiting};
use model::procfile::ProcessTable;
use model::release::Version;
use model::replica::{Phase, ReplicaStatus};
use serde_json::{Value, json};
use store::{Db, Replica};

use super::answer::{Answer, time};
use super::apps::app_ref;
use super::call::Call;
use super::error::ApiError;
use super::metrics::percent;
use super::reference::size_ref;

/// What a replica runs, as far as its release says.
struct Runs {
    release: ReleaseId,
    commands: ProcessTable,
}

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(all(&call).await?, &["name", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let wanted = call.parameter("dyno");
    let found = all(&call).await?.into_iter().find(|dyno| dyno["name"] == wanted || dyno["id"] == wanted);
    found.map(Answer::ok).ok_or_else(|| ApiError::not_found("dyno").hint("`paasctl ps` lists them"))
}

async fn all(call: &Call) -> Result<Vec<Value>, ApiError> {
    let mut db = call.read().await?;
    let replicas = store::list_replicas(&mut db, call.app().id).await?;
    let hosts = store::list_hosts(&mut db).await?;
    let versions: BTreeSet<Version> = replicas.iter().map(|replica| replica.version).collect();
    let mut runs: BTreeMap<Version, Runs> = BTreeMap::new();
    for version in versions {
        runs.insert(version, what_runs(call, &mut db, version).await?);
    }
    let mut shown = Vec::with_capacity(replicas.len());
    for replica in &replicas {
        let host = hosts.iter().find(|host| host.id == replica.host_id).map(|host| host.name.as_str());
        let status = call.platform.facts.status(replica.host_id, replica.id);
        if status.as_ref().is_some_and(|status| status.phase == Phase::Ended)
            && replica.wish != ReplicaWish::Run
        {
            continue;
        }
        shown.push(dyno_json(call, replica, &runs[&replica.version], (host, status)));
    }
    for waiting in call.platform.outlook.waiting(call.app().id) {
        let runs = what_runs(call, &mut db, waiting.version).await?;
        shown.push(waiting_json(call, &waiting, &runs));
    }
    Ok(shown)
}

/// Returns a replica that has no place yet, and so no row, as one that is there.
fn waiting_json(call: &Call, waiting: &Waiting, runs: &Runs) -> Value {
    let now = time(Timestamp::now());
    json!({
        "id": waiting.id(),
        "name": waiting.name(),
        "type": waiting.process,
        "number": waiting.number,
        "command": runs.commands.get(&waiting.process).map_or("", String::as_str),
        "size": waiting.size,
        "dyno_size": size_ref(waiting.size),
        "state": "waiting",
        "phase": "waiting",
        "reason": format!("{}; {}", waiting.reason, call.platform.outlook.help()),
        "restarts": 0,
        "cpu_percent": null,
        "memory_bytes": null,
        "in_flight": 0,
        "tunnels": 0,
        "host": null,
        "attach_url": null,
        "release": { "id": runs.release, "version": waiting.version.0 },
        "app": app_ref(call.app()),
        "since": now,
        "created_at": now,
        "updated_at": now,
    })
}

async fn what_runs(call: &Call, db: &mut Db, version: Version) -> Result<Runs, ApiError> {
    let found = store::find_release(db, call.app().id, version).await?;
    let release = found.ok_or_else(|| ApiError::not_found("release"))?;
    let slug = match &release.slug {
        Some(slug) => store::find_slug(db, slug.id).await?,
        None => None,
    };
    let commands = slug.map(|slug| slug.manifest.processes).unwrap_or_default();
    Ok(Runs { release: release.id, commands })
}

/// Returns a replica that was just wished for.
pub(super) async fn wished(call: &Call, replica: &Replica) -> Result<Value, ApiError> {
    let mut db = call.read().await?;
    let runs = what_runs(call, &mut db, replica.version).await?;
    Ok(dyno_json(call, replica, &runs, (None, None)))
}

fn dyno_json(
    call: &Call,
    replica: &Replica,
    runs: &Runs,
    (host, status): (Option<&str>, Option<ReplicaStatus>),
) -> Value {
    let phase = phase(replica, status.as_ref());
    let command = replica.command.as_ref().or_else(|| runs.commands.get(&replica.process));
    let since = status.as_ref().map_or(replica.created_at, |status| status.since);
    json!({
        "id": replica.id,
        "name": replica.name(),
        "type": replica.process,
        "number": replica.number,
        "command": command.map_or("", String::as_str),
        "size": replica.size,
        "dyno_size": size_ref(replica.size),
        "state": heroku_state(phase),
        "phase": phase,
        "reason": if phase == "draining" { Some(limit(call, replica, since)) } else { status.as_ref().and_then(|status| reason(call, status)) },
        "restarts": status.as_ref().map_or(0, |status| status.restarts),
        "cpu_percent": status.as_ref().and_then(|status| status.cpu?.millicores).map(percent),
        "memory_bytes": status.as_ref().and_then(|status| status.memory_bytes),
        "in_flight": call.platform.facts.in_flight(replica.id),
        "tunnels": call.platform.facts.tunnels(replica.id),
        "host": host,
        "attach_url": null,
        "release": { "id": runs.release, "version": replica.version.0 },
        "app": app_ref(call.app()),
        "since": time(since),
        "created_at": time(replica.created_at),
        "updated_at": time(since),
    })
}

/// Returns where a replica stands, in one word.
fn phase(replica: &Replica, status: Option<&ReplicaStatus>) -> &'static str {
    let observed = status.map_or(Phase::Starting, |status| status.phase);
    match (replica.wish, observed) {
        (_, Phase::Ended) => "ended",
        (_, Phase::Impossible) => "impossible",
        (ReplicaWish::Drain { .. }, _) => "draining",
        // What is not asked over HTTP finishes its work after SIGTERM.
        (ReplicaWish::Stop, Phase::Stopping)
            if replica.process.is_scalable() && !replica.process.is_web() =>
        {
            "draining"
        }
        (ReplicaWish::Stop, _) | (_, Phase::Stopping) => "stopping",
        (_, Phase::Starting) => "starting",
        (_, Phase::Healthy) => "healthy",
        (_, Phase::Unhealthy) => "unhealthy",
        (_, Phase::Backoff) => "backoff",
    }
}

/// Returns how long a draining replica may go on.
fn limit(call: &Call, replica: &Replica, since: Timestamp) -> String {
    let settings = &call.app().settings;
    let until = match replica.wish {
        ReplicaWish::Drain { until } => until,
        _ => since + SignedDuration::from_secs(settings.stop_seconds_of(&replica.process).into()),
    };
    let left = until.duration_since(Timestamp::now()).max(SignedDuration::ZERO);
    format!("finishes what it has, within {} s", left.as_secs())
}

/// Returns the word of Heroku's that says most of it. Its `ps:wait` waits for `up`.
fn heroku_state(phase: &str) -> &'static str {
    match phase {
        "healthy" | "draining" => "up",
        "starting" => "starting",
        "backoff" | "impossible" | "unhealthy" => "crashed",
        _ => "down",
    }
}

/// Returns why a replica is not up.
fn reason(call: &Call, status: &ReplicaStatus) -> Option<String> {
    match status.phase {
        Phase::Healthy => return call.platform.facts.beyond_reach(status.id),
        Phase::Stopping => return None,
        _ => {}
    }
    let exit = || {
        let exit = status.last_exit.as_ref()?;
        Some(match exit.last_lines.last() {
            Some(line) => format!("{}; its last line: {line}", exit.cause),
            None => exit.cause.to_string(),
        })
    };
    match status.phase {
        Phase::Backoff | Phase::Ended | Phase::Impossible => exit(),
        _ => status.probe.as_ref().map(ToString::to_string).or_else(exit),
    }
}
