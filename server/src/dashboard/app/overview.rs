//! One app: where it answers, what runs of it, how many are wanted, what was released last.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use model::wording;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AppHead;
use super::builds::Underway;
use super::traffic::Traffic;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::glance::{self, AppRow};
use crate::dashboard::page::{Frame, Submitted, Visitor};
use crate::dashboard::words;

/// Releases that are marked in the charts, and how many of them are shown beside what runs.
const RELEASES: &str = "version ..; order=desc,max=30";
const RELEASES_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "app/overview.html")]
struct OverviewPage {
    frame: Frame,
    head: AppHead,
    now: AppRow,
    formation: Vec<Entry>,
    replicas: Vec<Tile>,
    traffic: Traffic,
    releases: Vec<ReleaseLine>,
    steps: Vec<String>,
    /// The newest build, while it waits or runs.
    build: Option<Underway>,
}

/// A process type of the formation.
#[derive(Deserialize)]
struct Entry {
    r#type: String,
    quantity: u32,
    observed: u32,
    size: String,
    command: String,
}

#[derive(Deserialize)]
struct Dyno {
    name: String,
    phase: String,
    reason: Option<String>,
    restarts: u64,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    in_flight: Option<u64>,
    host: Option<String>,
    release: Version,
    since: Timestamp,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// A replica as a tile.
struct Tile {
    name: String,
    phase: String,
    reason: Option<String>,
    restarts: u64,
    cpu: Option<String>,
    memory: Option<String>,
    in_flight: Option<u64>,
    host: String,
    release: u64,
    since: String,
}

#[derive(Deserialize)]
struct ReleaseJson {
    version: u64,
    description: String,
    state: String,
    current: bool,
    created_at: Timestamp,
    user: Person,
}

#[derive(Deserialize)]
struct Person {
    email: String,
}

struct ReleaseLine {
    version: u64,
    description: String,
    state: String,
    current: bool,
    by: String,
    since: String,
}

#[derive(Deserialize)]
struct Scale {
    r#type: String,
    quantity: String,
}

#[derive(Deserialize)]
struct Restart {
    #[serde(default)]
    replica: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}", get(show))
        .route("/apps/{app}/scale", post(scale))
        .route("/apps/{app}/restart", post(restart))
}

async fn show(visitor: Visitor, Path(app): Path<String>) -> Response {
    visitor.page(view(&visitor, &app).await)
}

async fn view(visitor: &Visitor, name: &str) -> Result<OverviewPage, Refusal> {
    let head = AppHead::of(visitor, name, "").await?;
    let dynos: Vec<Dyno> = visitor.get(&["apps", name, "dynos"]).await?;
    let releases: Vec<ReleaseJson> = visitor.newest(&["apps", name, "releases"], RELEASES).await?;
    let formation: Vec<Entry> = visitor.get(&["apps", name, "formation"]).await?;
    let marks: Vec<_> = releases.iter().map(|release| (release.version, release.created_at)).collect();
    let traffic = Traffic::of(visitor, name, &marks).await?;
    let platform = &visitor.dashboard.platform;
    let mut db = platform.store.read().await?;
    let found = store::find_app(&mut db, name).await?.ok_or_else(Refusal::not_found)?;
    let overview = store::app_overview(&mut db, found).await?;
    let steps = match &overview.operation {
        Some(operation) => store::list_steps(&mut db, operation.id).await?,
        None => Vec::new(),
    };
    // The routes of the API need connections of their own.
    drop(db);
    Ok(OverviewPage {
        frame: visitor.frame(name, "apps"),
        head,
        now: glance::row(&platform.facts, &overview),
        formation,
        replicas: dynos.into_iter().map(tile).collect(),
        traffic,
        releases: releases.into_iter().take(RELEASES_SHOWN).map(release_line).collect(),
        steps: steps.into_iter().map(|step| step.text).collect(),
        build: Underway::of(visitor, name).await?,
    })
}

fn tile(dyno: Dyno) -> Tile {
    Tile {
        cpu: dyno.cpu_percent.map(|share| format!("{share:.0} %")),
        memory: dyno.memory_bytes.map(wording::bytes),
        host: dyno.host.unwrap_or_default(),
        release: dyno.release.version,
        since: words::ago(dyno.since),
        name: dyno.name,
        phase: dyno.phase,
        reason: dyno.reason,
        restarts: dyno.restarts,
        in_flight: dyno.in_flight,
    }
}

fn release_line(release: ReleaseJson) -> ReleaseLine {
    ReleaseLine {
        since: words::ago(release.created_at),
        version: release.version,
        description: release.description,
        state: release.state,
        current: release.current,
        by: release.user.email,
    }
}

async fn scale(
    Path(app): Path<String>,
    Submitted(visitor, Scale { r#type, quantity }): Submitted<Scale>,
) -> Response {
    let body = json!({ "quantity": quantity.trim() });
    let scaled = visitor.send(Method::PATCH, &["apps", &app, "formation", &r#type], &body).await;
    let said = |entry: Value| format!("{type} is scaled to {}.", entry["quantity"], type = r#type);
    visitor.done(&format!("/apps/{app}"), scaled.map(said))
}

async fn restart(
    Path(app): Path<String>,
    Submitted(visitor, Restart { replica }): Submitted<Restart>,
) -> Response {
    let mut path = vec!["apps", &app, "dynos"];
    if !replica.is_empty() {
        path.push(&replica);
    }
    let restarted = visitor.send(Method::DELETE, &path, &json!({})).await;
    let what = if replica.is_empty() { &app } else { &replica };
    let said = format!("{what} is being restarted; each replica goes when its successor answers.");
    visitor.done(&format!("/apps/{app}"), restarted.map(|_| said))
}
