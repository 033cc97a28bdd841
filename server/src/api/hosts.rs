//! The hosts as they are: what each offers, what of it is free and what its machine has in use, what runs there, and when it was last heard of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::Told;
use jiff::Timestamp;
use model::fleet::{Fleet, SILENCE};
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
use super::{host_use, instances};
use crate::instances::Doing;
use crate::reports::Reports;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let hosts = store::list_hosts(&mut db).await?;
    let replicas = store::list_all_replicas(&mut db).await?;
    let mut on: BTreeMap<HostId, Vec<&Replica>> = BTreeMap::new();
    for replica in &replicas {
        on.entry(replica.host_id).or_default().push(replica);
    }
    let sight = Sight::of(&call, &mut db).await?;
    let shown = hosts.iter().map(|host| sight.host(host, on.get(&host.id).map_or(&[][..], Vec::as_slice)));
    let shown = shown.chain(instances::without_host(&sight.instances, &hosts));
    Ok(Answer::list(shown.collect(), &["name", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let instances = crate::instances::list(&mut db).await?;
    match instances::named(&instances, call.parameter("host")) {
        Some(instance) => Ok(Answer::ok(instance)),
        None => {
            let host = find(&call, &mut db).await?;
            Ok(Answer::ok(full(&call, &mut db, &host).await?))
        }
    }
}

/// Returns the host that the path names.
pub(super) async fn find(call: &Call, db: &mut Db) -> Result<Host, ApiError> {
    let found = store::find_host_named(db, call.parameter("host")).await?;
    found.ok_or_else(|| ApiError::not_found("host").hint("`paasctl hosts` lists them"))
}

/// Returns a host with all that runs there.
pub(super) async fn full(call: &Call, db: &mut Db, host: &Host) -> Result<Value, ApiError> {
    let replicas = store::list_host_replicas(db, host.id).await?;
    let here: Vec<&Replica> = replicas.iter().collect();
    let mut names: BTreeMap<AppId, String> = BTreeMap::new();
    for app in replicas.iter().map(|replica| replica.app_id).collect::<BTreeSet<_>>() {
        if let Some(app) = store::find_app_by_id(db, app).await? {
            names.insert(app.id, app.name.to_string());
        }
    }
    let requests = |(app, name): (&AppId, &String)| {
        let total = call.platform.metrics.counters(*app).total();
        let requests: u64 = total.classes.iter().sum();
        json!({ "name": name, "requests": requests, "failed": total.classes[Class::ServerError as usize] })
    };
    let sight = Sight::of(call, db).await?;
    let degraded = sight.reports.of(host.id).map(|heard| heard.report.degraded.clone());
    let mut value = sight.host(host, &here);
    let more = json!({
        "dynos": here.iter().map(|replica| sight.dyno(replica, &names)).collect::<Vec<_>>(),
        "apps": names.iter().map(requests).collect::<Vec<_>>(),
        "degraded": degraded.unwrap_or_default(),
        "waiting": waiting(call, &names),
        "last_hour": super::metrics::last_hour(db, host.id).await?,
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

/// What this server sees of hosts at one moment.
struct Sight {
    reports: Reports,
    notices: BTreeMap<HostId, Told>,
    fleet: Arc<Fleet>,
    instances: Vec<Doing>,
}

impl Sight {
    async fn of(call: &Call, db: &mut Db) -> Result<Self, ApiError> {
        let instances = crate::instances::list(db).await?;
        let facts = &call.platform.facts;
        let (reports, notices) = (facts.reports(), facts.notices.all());
        Ok(Self { reports, notices, fleet: call.platform.outlook.fleet(), instances })
    }

    fn dyno(&self, replica: &Replica, names: &BTreeMap<AppId, String>) -> Value {
        let status = self.reports.status(replica.host_id, replica.id);
        json!({
            "id": replica.id,
            "app": names.get(&replica.app_id),
            "name": replica.name(),
            "version": replica.version.0,
            "size": replica.size,
            "once": matches!(replica.wish, ReplicaWish::Once { .. }),
            "leaving": matches!(replica.wish, ReplicaWish::Drain { .. } | ReplicaWish::Stop),
            "phase": status.map_or(Phase::Starting, |status| status.phase),
            "restarts": status.map_or(0, |status| status.restarts),
        })
    }

    /// Returns what is free of the memory and the processor time that a host offers.
    fn free(&self, host: &Host, replicas: &[&Replica]) -> (Option<u64>, Option<u64>) {
        let ended = |replica: &&&Replica| {
            let status = self.reports.status(replica.host_id, replica.id);
            status.is_some_and(|status| status.phase == Phase::Ended)
        };
        let there = || replicas.iter().filter(|replica| !ended(replica));
        let memory: u64 = there().map(|replica| replica.size.memory_mb() << 20).sum();
        let cpu: u64 = there().map(|replica| replica.size.cpu_millicores()).sum();
        let of = |offered: Option<u64>, used| offered.map(|offered| offered.saturating_sub(used));
        (of(host.facts.memory_bytes, memory), of(host.facts.cpu_millicores, cpu))
    }

    /// Returns when a host was last heard of, as this server knows it or else as it was noted.
    fn last_seen(&self, host: &Host) -> Option<Timestamp> {
        let heard = self.reports.of(host.id).map(|heard| heard.at.elapsed());
        heard.and_then(|ago| Timestamp::now().checked_sub(ago).ok()).max(host.last_seen_at)
    }

    /// Returns how a host stands in one word, and why.
    fn standing(&self, host: &Host, seen: Option<Timestamp>) -> (&'static str, Option<String>) {
        match host.state {
            HostState::Ready | HostState::Draining if self.is_silent(host) => {
                let ago = seen.map(|seen| wording::duration(Timestamp::now().duration_since(seen)));
                let what = ago.map_or_else(
                    || "nothing was heard of it".to_owned(),
                    |ago| format!("nothing was heard of it for {ago}"),
                );
                let follows = match self.fleet.silent.contains(&host.id) {
                    true => "no new request goes there",
                    false => "its routes are kept, since too many are silent at once",
                };
                let draining = if host.state == HostState::Draining { "; it drains" } else { "" };
                ("silent", Some(format!("{what}; {follows}{draining}")))
            }
            HostState::Lost if self.is_heard(host) => {
                ("returning", Some("it was lost and answers again; what it still runs ends first".to_owned()))
            }
            state => (state.as_str(), host.state_reason.clone()),
        }
    }

    /// Tells whether a host is not heard of, also while so many are that nothing follows from it.
    fn is_silent(&self, host: &Host) -> bool {
        let is_doubted = self.fleet.doubt.is_some() && !host.is_embedded() && !self.is_heard(host);
        is_doubted || self.fleet.silent.contains(&host.id)
    }

    fn is_heard(&self, host: &Host) -> bool {
        self.reports.of(host.id).is_some_and(|heard| heard.at.elapsed() < SILENCE)
    }

    fn host(&self, host: &Host, replicas: &[&Replica]) -> Value {
        let seen = self.last_seen(host);
        let (state, reason) = self.standing(host, seen);
        let (memory_free, cpu_free) = self.free(host, replicas);
        let mut value = json!({
            "id": host.id,
            "name": host.name,
            "zone": host.zone,
            "state": state,
            "reason": reason,
            "since": time(host.state_since),
            "notice": self.notices.get(&host.id).map(Told::to_string),
            "embedded": host.is_embedded(),
            "memory_bytes": host.facts.memory_bytes,
            "memory_free_bytes": memory_free,
            "cpu_millicores": host.facts.cpu_millicores,
            "cpu_free_millicores": cpu_free,
            "replicas": replicas.len(),
            "version": host.facts.version,
            "engine": host.facts.engine,
            "address": host.facts.address,
            "entry_port": host.facts.entry_port,
            "last_seen_at": seen.map(time),
            "drill": host.drill,
            "instance": instances::of_host(&self.instances, host),
            "created_at": time(host.created_at),
            "updated_at": time(host.state_since),
        });
        merge(&mut value, host_use::fields(host_use::of(&self.reports, &self.fleet, host.id)));
        value
    }
}
