//! Requests, errors and response times of an app in the last hour, and what its replicas used: as charts and as a table.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::wording;
use serde::Deserialize;

use crate::dashboard::chart::{self, Chart, Figure, Mark, Scale, Spark};
use crate::dashboard::client::Refusal;
use crate::dashboard::page::Visitor;

/// What the API tells of the last hour.
#[derive(Deserialize)]
struct MetricsJson {
    total: Requests,
    minutes: Vec<Minute>,
    uncounted_minutes: usize,
    replicas: Vec<ReplicaJson>,
}

#[derive(Deserialize)]
struct Minute {
    at: Timestamp,
    #[serde(flatten)]
    requests: Requests,
}

#[derive(Deserialize)]
struct Requests {
    requests: u64,
    errors: u64,
    #[serde(rename = "4xx")]
    client_errors: u64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Deserialize)]
struct ReplicaJson {
    name: String,
    cpu_percent: Vec<Option<f64>>,
    memory_bytes: Vec<Option<u64>>,
    missing_minutes: u64,
}

/// What the page shows of it.
pub(super) struct Traffic {
    /// There was at least one request.
    pub(super) any: bool,
    pub(super) charts: Vec<Chart>,
    /// Minutes with requests, the newest first.
    pub(super) rows: Vec<TrafficRow>,
    /// What is not counted, as a sentence.
    pub(super) uncounted: Option<String>,
    /// What each replica used, by name.
    uses: BTreeMap<String, Use>,
}

/// One minute as a row of the table.
pub(super) struct TrafficRow {
    pub(super) at: String,
    pub(super) requests: String,
    pub(super) client_errors: String,
    pub(super) errors: String,
    pub(super) p50: String,
    pub(super) p95: String,
    pub(super) p99: String,
}

/// What a replica used over the hour.
pub(super) struct Use {
    pub(super) cpu: Option<Spark>,
    pub(super) memory: Option<Spark>,
}

impl Traffic {
    /// Returns what happened to an app in the last hour; `releases` are marked where they were made.
    pub(super) async fn of(
        visitor: &Visitor,
        app: &str,
        releases: &[(u64, Timestamp)],
    ) -> Result<Self, Refusal> {
        Ok(traffic(&visitor.get(&["apps", app, "metrics"]).await?, releases))
    }

    /// Returns what a replica used.
    pub(super) fn use_of(&self, replica: &str) -> Option<&Use> {
        self.uses.get(replica)
    }
}

fn traffic(metrics: &MetricsJson, releases: &[(u64, Timestamp)]) -> Traffic {
    let start = metrics.minutes.first().map_or(Timestamp::UNIX_EPOCH, |minute| minute.at);
    let moments: Vec<_> = releases
        .iter()
        .map(|(version, at)| (at.duration_since(start).as_secs(), format!("v{version}")))
        .collect();
    let seconds = i64::try_from(metrics.minutes.len() * 60).unwrap_or(i64::MAX);
    let marks = chart::marks(&moments, seconds);
    let charts =
        vec![requests_chart(metrics, &marks), errors_chart(metrics, &marks), times_chart(metrics, &marks)];
    let rows = metrics.minutes.iter().rev().filter(|minute| minute.requests.requests > 0);
    Traffic {
        any: metrics.total.requests > 0,
        charts,
        rows: rows.map(row).collect(),
        uncounted: (metrics.uncounted_minutes > 0).then(|| {
            let minutes = wording::count(metrics.uncounted_minutes, "minute");
            format!("A server was killed: of {minutes} requests may be missing.")
        }),
        uses: metrics.replicas.iter().map(|replica| (replica.name.clone(), used(replica))).collect(),
    }
}

fn requests_chart(metrics: &MetricsJson, marks: &[Mark]) -> Chart {
    let counts: Vec<u64> = metrics.minutes.iter().map(|minute| minute.requests.requests).collect();
    let most = counts.iter().max().copied().unwrap_or_default();
    let total = chart::grouped(metrics.total.requests);
    Chart {
        id: "requests",
        title: "Requests",
        description: format!("{total} requests in the last hour, up to {} a minute.", chart::grouped(most)),
        figures: vec![
            Figure { style: "", name: "", value: total },
            Figure { style: "soft", name: "up to", value: format!("{} a minute", chart::grouped(most)) },
        ],
        ..counted(&counts, "bars", marks)
    }
}

fn errors_chart(metrics: &MetricsJson, marks: &[Mark]) -> Chart {
    let counts: Vec<u64> = metrics.minutes.iter().map(|minute| minute.requests.errors).collect();
    let (errors, requests) = (metrics.total.errors, metrics.total.requests);
    let share = 100.0 * chart::float(errors) / chart::float(requests).max(1.0);
    let value = match errors {
        0 => "none".to_owned(),
        _ if share < 0.1 => format!("{}, less than 0.1 %", chart::grouped(errors)),
        _ => format!("{}, {share:.1} %", chart::grouped(errors)),
    };
    Chart {
        id: "errors",
        title: "Errors",
        description: format!("Answers with 5xx in the last hour: {value}."),
        figures: vec![Figure { style: "", name: "", value }],
        ..counted(&counts, "bars errors", marks)
    }
}

/// Returns a chart of counts with a bar per minute.
fn counted(counts: &[u64], style: &'static str, marks: &[Mark]) -> Chart {
    let scale = Scale::of_counts(counts);
    Chart {
        id: "",
        title: "",
        description: String::new(),
        figures: Vec::new(),
        minutes: counts.len(),
        top: chart::short(scale.top),
        middle: chart::short(scale.top / 2.0),
        paths: vec![(style, chart::bars(counts, scale))],
        marks: marks.to_vec(),
    }
}

fn times_chart(metrics: &MetricsJson, marks: &[Mark]) -> Chart {
    type Of = fn(&Requests) -> Option<f64>;
    // The highest first, so that the others lie upon it.
    let lines: [(&'static str, Of); 3] =
        [("p99", |of| of.p99_ms), ("p95", |of| of.p95_ms), ("p50", |of| of.p50_ms)];
    let values = |of: Of| metrics.minutes.iter().map(|minute| of(&minute.requests)).collect::<Vec<_>>();
    let most = values(|of| of.p99_ms).into_iter().flatten().fold(1.0, f64::max);
    let scale = Scale::upto(most);
    let figures = lines.iter().rev().filter_map(|(name, of)| {
        let value = wording::milliseconds(of(&metrics.total)?);
        Some(Figure { style: name, name, value })
    });
    let figures: Vec<_> = figures.collect();
    let said: Vec<_> = figures.iter().map(|figure| format!("{} {}", figure.name, figure.value)).collect();
    Chart {
        id: "times",
        title: "Response times",
        description: format!("Percentiles of the last hour: {}.", said.join(", ")),
        figures,
        minutes: metrics.minutes.len(),
        top: wording::milliseconds(scale.top),
        middle: wording::milliseconds(scale.top / 2.0),
        paths: lines.iter().map(|(name, of)| (*name, chart::line(&values(*of), scale))).collect(),
        marks: marks.to_vec(),
    }
}

fn row(minute: &Minute) -> TrafficRow {
    let of = &minute.requests;
    let time = |ms: Option<f64>| ms.map(wording::milliseconds).unwrap_or_default();
    TrafficRow {
        at: minute.at.strftime("%H:%M").to_string(),
        requests: chart::grouped(of.requests),
        client_errors: chart::grouped(of.client_errors),
        errors: chart::grouped(of.errors),
        p50: time(of.p50_ms),
        p95: time(of.p95_ms),
        p99: time(of.p99_ms),
    }
}

fn used(replica: &ReplicaJson) -> Use {
    let cpu: Vec<f64> = replica.cpu_percent.iter().flatten().copied().collect();
    let memory: Vec<u64> = replica.memory_bytes.iter().flatten().copied().collect();
    let most = cpu.iter().copied().fold(0.0, f64::max);
    let cpu_values: Vec<f64> = replica.cpu_percent.iter().map(|share| share.unwrap_or_default()).collect();
    let bytes: Vec<u64> = replica.memory_bytes.iter().map(|bytes| bytes.unwrap_or_default()).collect();
    let largest = memory.iter().max().copied().unwrap_or_default();
    let missing = match replica.missing_minutes {
        0 => String::new(),
        minutes => format!("; for {minutes} min nobody measured it"),
    };
    let cpu_title = format!("CPU over the last hour, at most {most:.0} %{missing}");
    let memory_title = format!("Memory over the last hour, at most {}{missing}", wording::bytes(largest));
    Use {
        // A tenth of a core fills the picture only if it is not more than that.
        cpu: (!cpu.is_empty()).then(|| Spark::of(&cpu_values, 10.0, cpu_title)),
        memory: (!memory.is_empty()).then(|| Spark::of_counts(&bytes, memory_title)),
    }
}
