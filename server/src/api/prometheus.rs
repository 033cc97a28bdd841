//! All metrics at one moment, for a Prometheus server to fetch.

use std::collections::BTreeMap;

use model::id::{AppId, HostId, ReplicaId};
use model::metrics::{BOUNDS_MS, CLASSES, Traffic};
use model::replica::{Phase, ReplicaStatus};

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
    drop(db);
    let apps: BTreeMap<AppId, String> = apps.into_iter().map(|app| (app.id, app.name.to_string())).collect();
    let place = |replica: &store::Replica| (replica.host_id, replica.id);
    let replicas: Names =
        replicas.iter().map(|replica| (place(replica), (replica.app_id, replica.name()))).collect();
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
    let named = |(host, status)| named((host, status), &replicas, &apps);
    usage(&mut text, &present.filter_map(named).collect::<Vec<_>>());
    text.family(
        "paas_replica_in_flight",
        Kind::Gauge,
        "Requests that a replica is working on, tunnels included.",
    );
    for ((_, id), (app, name)) in &replicas {
        if let Some(app) = apps.get(app) {
            let labels = [("app", app.as_str()), ("replica", name), ("id", &id.to_string())];
            text.sample("paas_replica_in_flight", &labels, call.platform.facts.in_flight(*id));
        }
    }
    installation(&mut text, &call, apps.len())?;
    Ok(Answer::stream(CONTENT_TYPE, text.finish().into()))
}

/// The app and the name of each replica, by its host.
type Names = BTreeMap<(HostId, ReplicaId), (AppId, String)>;

/// A replica with the labels that tell it from all others: in a rollout two have one name.
struct Named<'a> {
    app: &'a str,
    name: &'a str,
    id: String,
    status: &'a ReplicaStatus,
}

fn named<'a>(
    (host, status): (HostId, &'a ReplicaStatus),
    replicas: &'a Names,
    apps: &'a BTreeMap<AppId, String>,
) -> Option<Named<'a>> {
    let (app, name) = replicas.get(&(host, status.id))?;
    Some(Named { app: apps.get(app)?, name, id: status.id.to_string(), status })
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
            let bound = BOUNDS_MS.get(at).map_or_else(|| "+Inf".to_owned(), |ms| seconds(*ms));
            text.sample(&format!("{name}_bucket"), &[("app", app), ("le", &bound)], upto);
        }
        text.sample(&format!("{name}_sum"), &[("app", app)], seconds(traffic.latency.sum_ms));
        text.sample(&format!("{name}_count"), &[("app", app)], upto);
    }
}

fn usage(text: &mut Exposition, replicas: &[Named<'_>]) {
    let mut family = |name, kind, help, value: &dyn Fn(&ReplicaStatus) -> Option<String>| {
        text.family(name, kind, help);
        for replica in replicas {
            if let Some(value) = value(replica.status) {
                let labels = [("app", replica.app), ("replica", replica.name), ("id", &replica.id)];
                text.sample(name, &labels, value);
            }
        }
    };
    let cpu = |status: &ReplicaStatus| status.cpu.map(|cpu| seconds(cpu.used_ms));
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

/// Returns milliseconds as seconds.
fn seconds(ms: u64) -> String {
    let (whole, rest) = (ms / 1_000, ms % 1_000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}").trim_end_matches('0').to_owned() }
}
