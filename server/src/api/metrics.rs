//! What an app and its replicas did, and what machines had in use, minute by minute.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use model::host_use::{HostUse, Share};
use model::id::HostId;
use model::metrics::{CLASSES, KEPT_MINUTES, Reading, Series, Traffic, Visits, series};
use serde_json::{Map, Value, json};
use store::Db;

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::host_use;
use super::reference::merge;
use crate::metrics::{minute_of, unheard};

/// Minutes when nobody says how many.
const MINUTES: u64 = 60;

/// Returns the minutes that are asked for; the one that is under way is the last.
fn window(call: &Call) -> Result<Range<u64>, ApiError> {
    let minutes = match call.query.get("minutes") {
        Some(text) => text.parse().ok().filter(|minutes| (1..=KEPT_MINUTES).contains(minutes)),
        None => Some(MINUTES),
    };
    let minutes = minutes.ok_or_else(|| {
        ApiError::invalid(format!("`minutes` must be a number from 1 to {KEPT_MINUTES}: a day is kept"))
    })?;
    let end = minute_of(Timestamp::now()) + 1;
    Ok(end.saturating_sub(minutes)..end)
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let window = window(&call)?;
    let end = window.end;
    let lead = window.start.saturating_sub(Series::lead_minutes());
    let mut db = call.read().await?;
    let still = call.platform.metrics.hold_still().await;
    let mut rows = store::list_minutes(&mut db, call.app().id, lead..end).await?;
    rows.extend(call.platform.metrics.pending(call.app().id));
    drop(still);
    rows.extend(unheard(&mut db, end - 1, call.app().id).await?);
    let uncounted = store::count_uncounted(&mut db, window.clone()).await?;
    Ok(Answer::ok(merged(shown(&series(&rows, window)), json!({ "uncounted_minutes": uncounted }))))
}

/// Returns what the machine of a host had in use.
pub(super) async fn of_host(call: Call) -> Result<Answer, ApiError> {
    let window = window(&call)?;
    let mut db = call.read().await?;
    let host = super::hosts::find(&call, &mut db).await?;
    let known: BTreeMap<u64, HostUse> =
        store::list_host_minutes(&mut db, host.id, window.clone()).await?.into_iter().collect();
    let missing = missing(&known, window.end);
    let minutes = window.map(|minute| {
        let in_use = known.get(&minute).copied();
        merged(json!({ "at": moment(minute), "measured": in_use.is_some() }), host_use::fields(in_use))
    });
    let minutes: Vec<_> = minutes.collect();
    Ok(Answer::ok(json!({ "step_seconds": 60, "minutes": minutes, "missing_minutes": missing })))
}

/// Returns what the machine of a host had in use in the last hour, in short.
pub(super) async fn last_hour(db: &mut Db, host: HostId) -> Result<Value, ApiError> {
    let end = minute_of(Timestamp::now()) + 1;
    let known = store::list_host_minutes(db, host, end.saturating_sub(MINUTES)..end).await?;
    let known: BTreeMap<u64, HostUse> = known.into_iter().collect();
    let cpu: Vec<_> = known.values().filter_map(|of| of.cpu_millicores).collect();
    let mean = cpu.iter().map(|cpu| cpu.used).sum::<u64>().checked_div(cpu.len() as u64);
    let cpu_millicores = mean.zip(cpu.last()).map(|(used, last)| Share { used, of: last.of });
    let memory_bytes = known.values().filter_map(|of| of.memory_bytes).max_by_key(|memory| memory.used);
    let in_use = (!known.is_empty()).then_some(HostUse { cpu_millicores, memory_bytes });
    Ok(merged(json!({ "missing_minutes": missing(&known, end) }), host_use::fields(in_use)))
}

/// Returns how many minutes are missing after the first that is known. The two latest may be on their way.
fn missing(known: &BTreeMap<u64, HostUse>, end: u64) -> usize {
    let first = known.keys().next().copied().unwrap_or(end);
    (first..end.saturating_sub(2)).filter(|minute| !known.contains_key(minute)).count()
}

fn merged(mut value: Value, more: Value) -> Value {
    merge(&mut value, more);
    value
}

fn moment(minute: u64) -> Value {
    let at = i64::try_from(minute * 60).ok().and_then(|at| Timestamp::from_second(at).ok());
    at.map_or(Value::Null, time)
}

fn shown(series: &Series) -> Value {
    let minutes = series.traffic.iter().zip(series.from..).map(|(traffic, minute)| {
        let mut shown = counts(traffic);
        shown.insert("at".to_owned(), moment(minute));
        Value::Object(shown)
    });
    let names: BTreeSet<&String> = series.replicas.keys().chain(series.visits.keys()).collect();
    let replicas = names.into_iter().map(|name| {
        let readings = series.replicas.get(name);
        let readings = readings.cloned().unwrap_or_else(|| vec![Reading::default(); series.traffic.len()]);
        let visits = series.visits.get(name);
        let visits = visits.cloned().unwrap_or_else(|| vec![Visits::default(); series.traffic.len()]);
        let cpu: Vec<_> = readings.iter().map(|reading| reading.millicores.map(percent)).collect();
        let memory: Vec<_> = readings.iter().map(memory_bytes).collect();
        let requests: Vec<_> = visits.iter().map(|visits| visits.requests).collect();
        let errors: Vec<_> = visits.iter().map(|visits| visits.errors).collect();
        let missing = series.missing.get(name).copied().unwrap_or(0);
        json!({
            "name": name,
            "cpu_percent": cpu,
            "memory_bytes": memory,
            "missing_minutes": missing,
            "requests": requests,
            "errors": errors,
        })
    });
    json!({
        "step_seconds": 60,
        "total": counts(&series.total()),
        "minutes": minutes.collect::<Vec<_>>(),
        "replicas": replicas.collect::<Vec<_>>(),
    })
}

fn counts(traffic: &Traffic) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("requests", traffic.requests().into());
    put("errors", traffic.errors().into());
    for (class, count) in CLASSES.iter().zip(traffic.classes) {
        put(class.name(), count.into());
    }
    put("tunnels", traffic.tunnels.into());
    for (name, q) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
        let ms = traffic.latency.quantile(q).map(|ms| (ms * 10.0).round() / 10.0);
        put(name, ms.into());
    }
    shown
}

fn memory_bytes(reading: &Reading) -> Option<u64> {
    reading.memory_mib.map(|mib| u64::from(mib) << 20)
}

/// Returns thousandths of a core as percent of one.
pub(super) fn percent(millicores: u32) -> f64 {
    f64::from(millicores) / 10.0
}
