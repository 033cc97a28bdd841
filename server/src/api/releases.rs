//! Releases: reading them, going back to one, and the output of release commands.

use logs::{Query, Source};
use model::id::{AppId, OperationId};
use model::name::ProcessType;
use model::release::{ReleaseStatus, Version};
use model::watch::Watch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Db, Release, ReleaseRange};

use super::account;
use super::answer::{Answer, time};
use super::apps::{app_ref, current_release};
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use crate::deploy;

/// Releases of one app that are looked through for a list; older ones are found by number.
const LISTED: u32 = 5_000;

/// Lists releases; the one that is being rolled out, or restarted, with its operation.
pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let current = current_version(&call, &mut db).await?;
    let max = call.range().newest().unwrap_or(LISTED);
    let releases = store::list_releases(&mut db, call.app().id, ReleaseRange::newest(max)).await?;
    let watch = store::find_watch(&mut db, call.app().id).await?;
    let active = store::active_operation(&mut db, call.app().id).await?;
    let mut shown = Vec::with_capacity(releases.len());
    for release in &releases {
        let mut release_shown = release_json(&call, release, current)?;
        show_watch(&mut release_shown, release, watch.as_ref());
        if let Some(active) = active.as_ref().filter(|active| active.version == release.version) {
            release_shown["operation"] = json!(active.id);
        }
        shown.push(release_shown);
    }
    Ok(Answer::list(shown, &["version", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let release = find(&call, &mut db, call.parameter("release")).await?;
    let current = current_version(&call, &mut db).await?;
    let mut shown = release_json(&call, &release, current)?;
    shown["operation"] = json!(operation(&call, &mut db, release.version).await?);
    show_watch(&mut shown, &release, store::find_watch(&mut db, call.app().id).await?.as_ref());
    Ok(Answer::ok(shown))
}

/// Says until when a release is watched, and what it is reverted to if it fails.
fn show_watch(shown: &mut Value, release: &Release, watch: Option<&Watch>) {
    if let Some(watch) = watch.filter(|watch| watch.version == release.version) {
        shown["watching_until"] = json!(time(watch.until));
        shown["reverts_to"] = json!(watch.fallback.0);
    }
}

/// A rollback, to a release by id or number; to the one before what serves, when the body names none.
pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let to = target(&call).await?;
    let made = deploy::roll_back(&call.platform, call.actor(), call.app(), to).await?;
    let mut db = call.read().await?;
    let current = current_version(&call, &mut db).await?;
    let mut shown = release_json(&call, &made.release, current)?;
    let operation = made.operation.map(|operation| operation.id.to_string());
    shown["operation"] = json!(operation);
    let answer = Answer::created(shown).noting("release", made.release.version.0);
    let answer = answer.noting("rollback_of", made.release.rollback_of.map(|version| version.0));
    Ok(match operation {
        Some(operation) => answer.header("paas-operation", &operation),
        None => answer,
    })
}

async fn target(call: &Call) -> Result<Option<Version>, ApiError> {
    let mut db = call.read().await?;
    if let Some(release) = call.fields.text("release")? {
        return Ok(Some(find(call, &mut db, &release).await?.version));
    }
    let Some(slug) = call.fields.text("slug")? else { return Ok(None) };
    let releases = store::list_releases(&mut db, call.app().id, ReleaseRange::newest(LISTED)).await?;
    let of_slug = |release: &&Release| release.slug.as_ref().is_some_and(|own| own.id.to_string() == slug);
    let release = releases.iter().find(of_slug).ok_or_else(|| ApiError::not_found("slug"))?;
    Ok(Some(release.version))
}

/// Finds a release of the app by id, `41`, `v41` or `current`.
pub(super) async fn find(call: &Call, db: &mut Db, wanted: &str) -> Result<Release, ApiError> {
    let app = call.app();
    let found = if wanted == "current" {
        current_release(db, app).await?
    } else if let Ok(version) = wanted.parse::<Version>() {
        store::find_release(db, app.id, version).await?
    } else if let Ok(id) = wanted.parse() {
        store::find_release_by_id(db, app.id, id).await?
    } else {
        None
    };
    found.ok_or_else(|| ApiError::not_found("release").hint("`paasctl releases` lists them"))
}

async fn current_version(call: &Call, db: &mut Db) -> Result<Option<Version>, ApiError> {
    Ok(current_release(db, call.app()).await?.map(|release| release.version))
}

async fn operation(call: &Call, db: &mut Db, version: Version) -> Result<Option<OperationId>, ApiError> {
    Ok(store::operation_of_release(db, call.app().id, version).await?)
}

fn release_json(call: &Call, release: &Release, current: Option<Version>) -> Result<Value, ApiError> {
    let slug = release.slug.as_ref();
    let to_output = Output { app: release.app_id, version: release.version };
    let output = match slug {
        Some(slug) if slug.has_release_command => {
            Some(capability::url(call, Purpose::ReleaseOutput, &to_output)?)
        }
        _ => None,
    };
    Ok(json!({
        "id": release.id,
        "version": release.version.0,
        "description": release.description,
        "status": release.status.heroku(),
        "state": release.status,
        "kind": release.kind,
        "reason": release.reason,
        "current": current == Some(release.version),
        "eligible_for_rollback": slug.is_some_and(|slug| slug.kept) && release.status == ReleaseStatus::Succeeded,
        "commit": release.commit,
        "slug": slug.map(|slug| json!({ "id": slug.id, "digest": slug.digest, "bytes": slug.bytes })),
        "build": release.build_id.map(|id| json!({ "id": id })),
        "rollback_of": release.rollback_of.map(|version| version.0),
        "output_stream_url": output,
        "addon_plan_names": [],
        "artifacts": [],
        "operation": null,
        "watching_until": null,
        "reverts_to": null,
        "app": app_ref(call.app()),
        "user": account::user(release.user_id, &release.user_email),
        "created_at": time(release.created_at),
        "updated_at": time(release.finished_at.unwrap_or(release.created_at)),
        "finished_at": release.finished_at.map(time),
    }))
}

#[derive(Serialize, Deserialize)]
struct Output {
    app: AppId,
    version: Version,
}

pub(super) async fn output(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let release = find(&call, &mut db, call.parameter("release")).await?;
    drop(db);
    text(&call, Output { app: release.app_id, version: release.version }).await
}

pub(super) async fn stream(call: Call) -> Result<Answer, ApiError> {
    let output = capability::open(&call, Purpose::ReleaseOutput)?;
    text(&call, output).await
}

/// What the release command wrote is in the app's log, as the output of the type `release`.
async fn text(call: &Call, output: Output) -> Result<Answer, ApiError> {
    let process = ProcessType::release().to_string();
    let query = Query { source: Some(Source::App), process: Some(process), ..Query::default() };
    let dir = call.platform.logs.open(output.app).map_err(anyhow::Error::from)?;
    let read = tokio::task::spawn_blocking(move || dir.read(&query)).await.map_err(anyhow::Error::from)?;
    let lines = read.map_err(anyhow::Error::from)?.lines;
    let of_release = lines.iter().filter(|line| line.release == Some(output.version.0));
    let text: String = of_release.map(|line| format!("{}\n", line.text)).collect();
    Ok(Answer::stream("text/plain; charset=utf-8", text.into()))
}
