//! All metrics at one moment, for a Prometheus server to fetch.

mod hosts;

use std::collections::BTreeMap;

use model::id::{AppId, HostId, ReplicaId};
use model::metrics::{BOUNDS_MS, CLASSES, Traffic};
use model::replica::{Phase, ReplicaStatus};
use store::{Host, Replica};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use crate::disk::Room;
use crate::metrics::{Exposition, Kind};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let apps = store::list_apps(&mut db).await?;
    let replicas = store::list_all_replicas(&mut db).await?;
    let hosts = store::list_hosts(&mut db).await?;
    drop(db);
    let apps: BTreeMap<AppId, String> = apps.into_iter().map(|app| (app.id, app.name.to_string())).collect();
    let replicas = known(&replicas, &apps, &hosts);
    let mut text = Exposition::default();
    let totals = call.platform.metrics.totals();
    let traffic: Vec<_> = totals
        .iter()
        .filter(|(_, traffic)| !traffic.is_empty())
        .filter_map(|(app, traffic)| Some((apps.get(app)?.as_str(), traffic)))
        .collect();
    requests(&mut text, &traffic);
    let reports = call.platform.facts.reports();
    let present = reports.replicas().filter(|(_, status)| status.phase != Phase::Ended);
    let present = present.filter_map(|(host, status)| Some((replicas.get(&(host, status.id))?, status)));
    usage(&mut text, &present.collect::<Vec<_>>());
    text.family(
        "paas_replica_in_flight",
        Kind::Gauge,
        "Requests that a replica is working on, tunnels included.",
    );
    for ((_, id), labels) in &replicas {
        text.sample("paas_replica_in_flight", &labels.all(), call.platform.facts.in_flight(*id));
    }
    hosts::write(&mut text, &hosts, &reports, &call.platform.outlook.fleet());
    installation(&mut text, &call, apps.len())?;
    Ok(Answer::stream(CONTENT_TYPE, text.finish().into()))
}

/// What tells a replica from all others, of which in a rollout two have one name, and where it is.
struct Labels {
    app: String,
    replica: String,
    id: String,
    host: String,
}

impl Labels {
    fn all(&self) -> [(&str, &str); 4] {
        [("app", &self.app), ("replica", &self.replica), ("id", &self.id), ("host", &self.host)]
    }
}

/// Returns the labels of the replicas that there should be.
fn known(
    replicas: &[Replica],
    apps: &BTreeMap<AppId, String>,
    hosts: &[Host],
) -> BTreeMap<(HostId, ReplicaId), Labels> {
    let hosts: BTreeMap<HostId, &str> = hosts.iter().map(|host| (host.id, host.name.as_str())).collect();
    let labels = |replica: &Replica| {
        let host = (*hosts.get(&replica.host_id)?).to_owned();
        let app = apps.get(&replica.app_id)?.clone();
        let labels = Labels { app, replica: replica.name(), id: replica.id.to_string(), host };
        Some(((replica.host_id, replica.id), labels))
    };
    replicas.iter().filter_map(labels).collect()
}

fn requests(text: &mut Exposition, apps: &[(&str, &Traffic)]) {
    text.family("paas_requests_total", Kind::Counter, "Requests that ended, by the class of their status.");
    for (app, traffic) in apps {
        for (class, count) in CLASSES.iter().zip(traffic.classes) {
            text.sample("paas_requests_total", &[("app", app), ("class", class.name())], count);
        }
    }
    text.family("paas_tunnels_total", Kind::Counter, "WebSockets and other tunnels that ended.");
    for (app, traffic) in apps {
        text.sample("paas_tunnels_total", &[("app", app)], traffic.tunnels);
    }
    let name = "paas_request_duration_seconds";
    text.family(name, Kind::Histogram, "Time from a request's arrival to the last byte of its answer.");
    for (app, traffic) in apps {
        let mut upto = 0;
        for (at, count) in traffic.latency.buckets.iter().enumerate() {
            upto += count;
            let bound = BOUNDS_MS.get(at).map_or_else(|| "+Inf".to_owned(), |ms| thousandths(*ms));
            text.sample(&format!("{name}_bucket"), &[("app", app), ("le", &bound)], upto);
        }
        text.sample(&format!("{name}_sum"), &[("app", app)], thousandths(traffic.latency.sum_ms));
        text.sample(&format!("{name}_count"), &[("app", app)], upto);
    }
}

fn usage(text: &mut Exposition, replicas: &[(&Labels, &ReplicaStatus)]) {
    let mut family = |name, kind, help, value: &dyn Fn(&ReplicaStatus) -> Option<String>| {
        text.family(name, kind, help);
        for (labels, status) in replicas {
            if let Some(value) = value(status) {
                text.sample(name, &labels.all(), value);
            }
        }
    };
    let cpu = |status: &ReplicaStatus| status.cpu.map(|cpu| thousandths(cpu.used_ms));
    family(
        "paas_replica_cpu_seconds_total",
        Kind::Counter,
        "Processor time of a replica's present run.",
        &cpu,
    );
    let memory = |status: &ReplicaStatus| status.memory_bytes.map(|bytes| bytes.to_string());
    family("paas_replica_memory_bytes", Kind::Gauge, "Memory in use, page cache included.", &memory);
    let healthy = |status: &ReplicaStatus| Some(u8::from(status.phase == Phase::Healthy).to_string());
    family("paas_replica_healthy", Kind::Gauge, "1 if the replica is healthy, otherwise 0.", &healthy);
    let restarts = |status: &ReplicaStatus| Some(status.restarts.to_string());
    family("paas_replica_restarts_total", Kind::Counter, "How often it was started again.", &restarts);
}

fn installation(text: &mut Exposition, call: &Call, apps: usize) -> Result<(), ApiError> {
    let room = Room::at(&call.platform.options.data_dir).map_err(anyhow::Error::from)?;
    text.family("paas_apps", Kind::Gauge, "Apps there are.");
    text.sample("paas_apps", &[], apps);
    text.family("paas_disk_free_bytes", Kind::Gauge, "Free bytes where the data is.");
    text.sample("paas_disk_free_bytes", &[], room.free_bytes);
    text.family("paas_disk_total_bytes", Kind::Gauge, "All bytes where the data is.");
    text.sample("paas_disk_total_bytes", &[], room.total_bytes);
    text.family("paas_info", Kind::Gauge, "The version of the server.");
    text.sample("paas_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    Ok(())
}

/// Returns thousandths as what they are thousandths of: milliseconds as seconds.
fn thousandths(n: u64) -> String {
    let (whole, rest) = (n / 1_000, n % 1_000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}").trim_end_matches('0').to_owned() }
}
