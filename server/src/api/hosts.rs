//! The hosts as they are: what each offers, what of it is free, what runs there, and when it was last heard of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::fleet::SILENCE;
use model::id::{AppId, HostId};
use model::metrics::Class;
use model::plan::{ReplicaWish, Waiting};
use model::replica::Phase;
use model::wording;
use serde_json::{Value, json};
use store::{Db, Host, HostState, Replica};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::reference::merge;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let hosts = store::list_hosts(&mut db).await?;
    let replicas = store::list_all_replicas(&mut db).await?;
    let shown = hosts.iter().map(|host| host_json(&call, host, &on(host, &replicas))).collect();
    Ok(Answer::list(shown, &["name", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let host = find(&call, &mut db).await?;
    Ok(Answer::ok(full(&call, &mut db, &host).await?))
}

/// Returns the host that the path names.
pub(super) async fn find(call: &Call, db: &mut Db) -> Result<Host, ApiError> {
    let found = store::find_host_named(db, call.parameter("host")).await?;
    found.ok_or_else(|| ApiError::not_found("host").hint("`paasctl hosts` lists them"))
}

fn on<'a>(host: &Host, replicas: &'a [Replica]) -> Vec<&'a Replica> {
    replicas.iter().filter(|replica| replica.host_id == host.id).collect()
}

/// Returns a host with all that runs there.
pub(super) async fn full(call: &Call, db: &mut Db, host: &Host) -> Result<Value, ApiError> {
    let replicas = store::list_all_replicas(db).await?;
    let here = on(host, &replicas);
    let mut names: BTreeMap<AppId, String> = BTreeMap::new();
    for replica in &here {
        if let Some(app) = store::find_app_by_id(db, replica.app_id).await? {
            names.insert(app.id, app.name.to_string());
        }
    }
    let requests = |(app, name): (&AppId, &String)| {
        let total = call.platform.metrics.counters(*app).total();
        let requests: u64 = total.classes.iter().sum();
        json!({ "name": name, "requests": requests, "failed": total.classes[Class::ServerError as usize] })
    };
    let degraded = call.platform.facts.reports().of(host.id).map(|heard| heard.report.degraded.clone());
    let mut value = host_json(call, host, &here);
    let more = json!({
        "dynos": here.iter().map(|replica| dyno(call, replica, &names)).collect::<Vec<_>>(),
        "apps": names.iter().map(requests).collect::<Vec<_>>(),
        "degraded": degraded.unwrap_or_default(),
        "waiting": waiting(call, &names),
    });
    merge(&mut value, more);
    Ok(value)
}

/// Returns which replicas of these apps have no place.
fn waiting(call: &Call, names: &BTreeMap<AppId, String>) -> Vec<Value> {
    let of_app = |(app, name): (&AppId, &String)| {
        let waiting = call.platform.outlook.waiting(*app);
        let shown =
            |waiting: &Waiting| json!({ "app": name, "name": waiting.name(), "reason": waiting.reason });
        waiting.iter().map(shown).collect::<Vec<_>>()
    };
    names.iter().flat_map(of_app).collect()
}

fn dyno(call: &Call, replica: &Replica, names: &BTreeMap<AppId, String>) -> Value {
    let status = call.platform.facts.status(replica.host_id, replica.id);
    json!({
        "id": replica.id,
        "app": names.get(&replica.app_id),
        "name": replica.name(),
        "version": replica.version.0,
        "size": replica.size,
        "once": matches!(replica.wish, ReplicaWish::Once { .. }),
        "leaving": matches!(replica.wish, ReplicaWish::Drain { .. } | ReplicaWish::Stop),
        "phase": status.as_ref().map_or(Phase::Starting, |status| status.phase),
        "restarts": status.as_ref().map_or(0, |status| status.restarts),
    })
}

/// What is free of what a host offers.
struct Free {
    memory_bytes: Option<u64>,
    cpu_millicores: Option<u64>,
}

impl Free {
    fn of(call: &Call, host: &Host, replicas: &[&Replica]) -> Self {
        let ended = |replica: &&&Replica| {
            let status = call.platform.facts.status(replica.host_id, replica.id);
            status.is_some_and(|status| status.phase == Phase::Ended)
        };
        let there = || replicas.iter().filter(|replica| !ended(replica));
        let memory: u64 = there().map(|replica| replica.size.memory_mb() << 20).sum();
        let cpu: u64 = there().map(|replica| replica.size.cpu_millicores()).sum();
        Self {
            memory_bytes: host.facts.memory_bytes.map(|offered| offered.saturating_sub(memory)),
            cpu_millicores: host.facts.cpu_millicores.map(|offered| offered.saturating_sub(cpu)),
        }
    }
}

/// Returns when a host was last heard of, as this server knows it or else as it was noted.
fn last_seen(call: &Call, host: HostId, noted: Option<Timestamp>) -> Option<Timestamp> {
    let heard = call.platform.facts.reports().of(host).map(|heard| heard.at.elapsed());
    let heard = heard.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    heard.max(noted)
}

/// Returns how a host stands in one word, and why.
fn standing(call: &Call, host: &Host, seen: Option<Timestamp>) -> (&'static str, Option<String>) {
    let is_silent = call.platform.outlook.fleet().silent.contains(&host.id);
    match host.state {
        HostState::Ready | HostState::Draining if is_silent => {
            let ago = seen.map(|seen| wording::duration(Timestamp::now().duration_since(seen)));
            let what = ago.map_or_else(
                || "nothing was heard of it".to_owned(),
                |ago| format!("nothing was heard of it for {ago}"),
            );
            let draining = if host.state == HostState::Draining { "; it drains" } else { "" };
            ("silent", Some(format!("{what}; no new request goes there{draining}")))
        }
        HostState::Lost if is_heard(call, host) => {
            ("returning", Some("it was lost and answers again; what it still runs ends first".to_owned()))
        }
        state => (state.as_str(), host.state_reason.clone()),
    }
}

fn is_heard(call: &Call, host: &Host) -> bool {
    call.platform.facts.reports().of(host.id).is_some_and(|heard| heard.at.elapsed() < SILENCE)
}

fn host_json(call: &Call, host: &Host, replicas: &[&Replica]) -> Value {
    let seen = last_seen(call, host.id, host.last_seen_at);
    let (state, reason) = standing(call, host, seen);
    let free = Free::of(call, host, replicas);
    json!({
        "id": host.id,
        "name": host.name,
        "zone": host.zone,
        "state": state,
        "reason": reason,
        "since": time(host.state_since),
        "embedded": host.is_embedded(),
        "memory_bytes": host.facts.memory_bytes,
        "memory_free_bytes": free.memory_bytes,
        "cpu_millicores": host.facts.cpu_millicores,
        "cpu_free_millicores": free.cpu_millicores,
        "replicas": replicas.len(),
        "version": host.facts.version,
        "engine": host.facts.engine,
        "address": host.facts.address,
        "entry_port": host.facts.entry_port,
        "last_seen_at": seen.map(time),
        "drill": host.drill,
        "created_at": time(host.created_at),
        "updated_at": time(host.state_since),
    })
}
