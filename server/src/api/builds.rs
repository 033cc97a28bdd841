//! Builds: reading them, their output, and cancelling them.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use model::build::BuildState;
use model::id::BuildId;
use model::release::CommitRef;
use serde_json::{Value, json};
use store::{Build, Db, NewBuild};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::account;
use super::answer::{Answer, time};
use super::apps::app_ref;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::fields::Fields;
use super::reference::stack_name;
use super::source_commit::{self, Authorship, SourceFault};
use super::sources;
use crate::builds;
use crate::platform::Platform;

/// Builds of an app that are looked through for a list.
const LISTED: u32 = 1_000;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let mut shown = Vec::new();
    let max = call.range().newest().unwrap_or(LISTED);
    for build in store::list_builds(&mut db, call.app().id, max).await? {
        shown.push(build_json(&call, &mut db, &build).await?);
    }
    Ok(Answer::list(shown, &["id", "created_at"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let build = find(&call, &mut db).await?;
    Ok(Answer::ok(build_json(&call, &mut db, &build).await?))
}

/// Builds a source that was uploaded to an address of ours.
pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    if !call.fields.objects("buildpacks")?.is_empty() {
        return Err(ApiError::invalid("buildpacks belong to the app, not to a build")
            .hint("set them with `paasctl settings:set`"));
    }
    let id = BuildId::new();
    let commit = uploaded_commit(&call, id).await?;
    let new = NewBuild {
        id,
        app: call.app().id,
        user: call.actor().user,
        commit: Some(commit.clone()),
        branch: None,
        options: json!({}),
    };
    let mut tx = call.write().await?;
    let build = store::enqueue_build(&mut tx, new).await?;
    let shown = build_json(&call, &mut tx, &build).await?;
    super::call::commit(tx).await?;
    call.platform.builds.wake.notify_one();
    call.platform.changed();
    Ok(Answer::created(shown).noting("build", build.id.to_string()).noting("commit", commit.id))
}

async fn uploaded_commit(call: &Call, build: BuildId) -> Result<CommitRef, ApiError> {
    let blob =
        call.fields.get("source_blob").and_then(Value::as_object).cloned().map(Fields).unwrap_or_default();
    let url = blob.required("url")?;
    let source: BuildId = capability::reopen(call, Purpose::Source, &url).ok_or_else(|| {
        ApiError::invalid("`source_blob.url` is not an address that this server gave out")
            .hint("POST /sources gives one: put the tar.gz there, then build it; or deploy with `git push paas main`")
    })?;
    let version = blob.text("version")?.map(|version| model::wording::plain(&version, 100));
    let described = blob.text("version_description")?;
    let subject = described.or(version).unwrap_or_else(|| "Uploaded source".to_owned());
    let authorship = Authorship { email: call.actor().email.clone(), subject: subject.clone() };
    let repositories = call.platform.repositories.clone();
    let (app, archive) = (call.app().id.to_string(), sources::path(call, source));
    let made = tokio::task::spawn_blocking(move || {
        let repository = repositories.repository(&app)?;
        let repository = if repository.exists() { repository } else { repositories.create(&app, "main")? };
        source_commit::commit(&archive, &repository, &build.to_string(), &authorship)
    });
    match made.await.map_err(anyhow::Error::from)? {
        Ok(id) => Ok(CommitRef { id, subject, author: call.actor().email.clone() }),
        Err(SourceFault::Refused(why)) => Err(ApiError::invalid(why)),
        Err(SourceFault::Ours(error)) => Err(error.into()),
    }
}

pub(super) async fn cancel(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let build = find(&call, &mut db).await?;
    drop(db);
    builds::cancel_build(&call.platform, call.actor(), call.app(), build.id).await?;
    let mut db = call.read().await?;
    let build = find(&call, &mut db).await?;
    Ok(Answer::accepted(build_json(&call, &mut db, &build).await?).noting("build", build.id.to_string()))
}

pub(super) async fn output(call: Call) -> Result<Answer, ApiError> {
    let build = find(&call, &mut *call.read().await?).await?;
    let follow = call.query.get("follow").is_some_and(|text| text != "0");
    Ok(text(&call.platform, build.id, follow || !build.state.is_final()))
}

pub(super) async fn stream(call: Call) -> Result<Answer, ApiError> {
    let id: BuildId = capability::open(&call, Purpose::BuildOutput)?;
    Ok(text(&call.platform, id, true))
}

async fn find(call: &Call, db: &mut Db) -> Result<Build, ApiError> {
    let missing = || ApiError::not_found("build").hint("`paasctl builds` lists them");
    let id = call.parameter("build").parse().map_err(|_| missing())?;
    let build = store::find_build(db, id).await?;
    build.filter(|build| build.app_id == call.app().id).ok_or_else(missing)
}

/// Returns the output as text. A follower gets what comes until the build ends; nobody keeps it from ending.
fn text(platform: &Arc<Platform>, id: BuildId, follow: bool) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let mut reading = JoinSet::new();
    let platform = platform.clone();
    reading.spawn(async move {
        let out = |chunk: &[u8]| {
            // A reader that has gone takes this task with it.
            let _ = sender.send(Bytes::copy_from_slice(chunk));
        };
        let read =
            if follow { builds::follow(&platform, id, out).await } else { present(&platform, id, out).await };
        if let Err(error) = read {
            tracing::warn!(error = format!("{error:#}"), "the output of a build cannot be read");
        }
    });
    let chunks = stream::unfold((receiver, reading), |(mut receiver, reading)| async move {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), (receiver, reading)))
    });
    Answer::stream("text/plain; charset=utf-8", Body::from_stream(chunks))
}

/// Gives out what there is now.
async fn present(platform: &Platform, id: BuildId, out: impl Fn(&[u8])) -> anyhow::Result<()> {
    match tokio::fs::read(builds::log_path(platform, id)).await {
        Ok(bytes) => out(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn build_json(call: &Call, db: &mut Db, build: &Build) -> Result<Value, ApiError> {
    let release = match build.release {
        Some(version) => store::find_release(db, build.app_id, version).await?,
        None => None,
    };
    let slug = build.slug.as_ref();
    Ok(json!({
        "id": build.id,
        "status": heroku_status(build.state),
        "state": build.state,
        "reason": build.reason,
        "hint": build.hint,
        "commit": build.commit,
        "branch": build.branch,
        "trace": build.trace,
        "slug": slug.map(|slug| json!({ "id": slug.id, "digest": slug.digest, "bytes": slug.bytes })),
        "release": release.map(|release| json!({ "id": release.id, "version": release.version.0 })),
        "durations": build.durations,
        "attempt": build.attempt,
        "cancel_requested": build.cancel_requested,
        "source_blob": {
            "url": null,
            "checksum": null,
            "version": build.commit.as_ref().map(|commit| &commit.id),
            "version_description": build.commit.as_ref().map(|commit| &commit.subject),
        },
        "buildpacks": [],
        "stack": stack_name(),
        "output_stream_url": capability::url(call, Purpose::BuildOutput, &build.id)?,
        "user": account::user(build.user_id, &build.user_email),
        "app": app_ref(call.app()),
        "started_at": build.started_at.map(time),
        "finished_at": build.finished_at.map(time),
        "deadline": build.deadline.map(time),
        "created_at": time(build.created_at),
        "updated_at": time(build.finished_at.or(build.started_at).unwrap_or(build.created_at)),
    }))
}

/// Returns the word of Heroku's that says most of it.
fn heroku_status(state: BuildState) -> &'static str {
    match state {
        BuildState::Queued | BuildState::Running => "pending",
        BuildState::Succeeded => "succeeded",
        BuildState::Failed | BuildState::Cancelled | BuildState::Superseded => "failed",
    }
}
