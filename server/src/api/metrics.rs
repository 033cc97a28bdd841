//! What an app and its replicas did, minute by minute.

use jiff::Timestamp;
use model::metrics::{CLASSES, KEPT_MINUTES, Reading, Series, Traffic, series};
use serde_json::{Map, Value, json};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use crate::metrics::minute_of;

/// Minutes when nobody says how many.
const MINUTES: u64 = 60;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let minutes = match call.query.get("minutes") {
        Some(text) => text.parse().ok().filter(|minutes| (1..=KEPT_MINUTES).contains(minutes)),
        None => Some(MINUTES),
    };
    let minutes = minutes.ok_or_else(|| {
        ApiError::invalid(format!("`minutes` must be a number from 1 to {KEPT_MINUTES}: a day is kept"))
    })?;
    // The one that is under way is the last.
    let end = minute_of(Timestamp::now()) + 1;
    let window = end.saturating_sub(minutes)..end;
    let lead = window.start.saturating_sub(Series::lead_minutes());
    let mut db = call.read().await?;
    let still = call.platform.metrics.hold_still().await;
    let mut rows = store::list_minutes(&mut db, call.app().id, lead..end).await?;
    rows.extend(call.platform.metrics.pending(call.app().id));
    drop(still);
    Ok(Answer::ok(shown(&series(&rows, window))))
}

fn shown(series: &Series) -> Value {
    let at = |minute: u64| i64::try_from(minute * 60).ok().and_then(|at| Timestamp::from_second(at).ok());
    let minutes = series.traffic.iter().zip(series.from..).map(|(traffic, minute)| {
        let mut shown = counts(traffic);
        shown.insert("at".to_owned(), at(minute).map_or(Value::Null, time));
        Value::Object(shown)
    });
    let replicas = series.replicas.iter().map(|(name, readings)| {
        let cpu: Vec<_> = readings.iter().map(|reading| reading.millicores.map(percent)).collect();
        let memory: Vec<_> = readings.iter().map(memory_bytes).collect();
        json!({ "name": name, "cpu_percent": cpu, "memory_bytes": memory })
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
