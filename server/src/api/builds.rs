//! Builds: reading them, their output, and cancelling them.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use futures::TryStreamExt as _;
use git::{Authorship, ImportError, ImportLimits};
use model::build::BuildState;
use model::id::BuildId;
use model::keep;
use model::release::CommitRef;
use model::stack::{BuildStack, CONTAINER};
use serde_json::{Value, json};
use store::{Build, Db, NewBuild};

use super::account;
use super::answer::{Answer, time};
use super::apps::app_ref;
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;
use super::fields::Fields;
use super::reference::name_of;
use super::sources::{self, Source};
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
    let (source, commit) = uploaded(&call)?;
    let archive = sources::path(&call, source);
    let commit = import(&call, id, &archive, commit).await?;
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
    // The commit has it now. What cannot be removed here is forgotten with time.
    if let Err(error) = sources::remove(&archive).await {
        tracing::warn!(error = format!("{error:#}"), "an upload stays though it was imported");
    }
    Ok(Answer::created(shown).noting("build", build.id.to_string()).noting("commit", commit.id))
}

/// Returns the upload that is to be built, and what its commit is to say.
fn uploaded(call: &Call) -> Result<(Source, Authorship), ApiError> {
    let blob =
        call.fields.get("source_blob").and_then(Value::as_object).cloned().map(Fields).unwrap_or_default();
    let url = blob.required("url")?;
    let source = capability::reopen(call, Purpose::Source, &url).ok_or_else(|| {
        ApiError::invalid("`source_blob.url` is not an address that this server gave out")
            .hint("POST /sources gives one: put the tar.gz there, then build it; or deploy with `git push paas main`")
    })?;
    let version = blob.text("version")?.map(|version| model::wording::plain(&version, 100));
    let described = blob.text("version_description")?;
    let subject = described.or(version).unwrap_or_else(|| "Uploaded source".to_owned());
    Ok((source, Authorship { email: call.actor().email.clone(), subject }))
}

/// Makes an upload a commit of the app's repository, so that it is built like any other.
async fn import(
    call: &Call,
    build: BuildId,
    archive: &Path,
    commit: Authorship,
) -> Result<CommitRef, ApiError> {
    sources::check_room(&call.platform.options.data_dir, call.platform.options.reserve_bytes)?;
    let Ok(file) = std::fs::File::open(archive) else {
        return Err(ApiError::invalid("nothing lies at the source's address")
            .hint("put the tar.gz there first; once it was built, ask for a new address"));
    };
    let repositories = call.platform.repositories.clone();
    let app = call.app().id.to_string();
    let prepared = tokio::task::spawn_blocking(move || {
        let repository = repositories.repository(&app)?;
        if repository.exists() { Ok(repository) } else { repositories.create(&app, "main") }
    });
    let repository = prepared.await.map_err(anyhow::Error::from)??;
    match repository.import(&build.to_string(), file, &commit, &ImportLimits::default()).await {
        Ok(id) => Ok(CommitRef { id: id.to_string(), subject: commit.subject, author: commit.email }),
        Err(ImportError::Internal(error)) => Err(error.into()),
        Err(refused) => Err(ApiError::invalid(refused.to_string())),
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
    if !build.has_output {
        return Err(ApiError::new(StatusCode::GONE, "gone", "the output of that build is no longer kept")
            .hint(format!("that of an app's last {} builds is", keep::BUILD_LOGS)));
    }
    // A build that runs is followed, unless what there is now is asked for.
    let follow = call.query.get("follow").map_or(!build.state.is_final(), |text| text != "0");
    Ok(text(&call.platform, build.id, follow))
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
    let chunks = builds::output(platform.clone(), id, follow).inspect_err(|error| {
        tracing::warn!(error = format!("{error:#}"), "the output of a build broke off");
    });
    Answer::stream("text/plain; charset=utf-8", Body::from_stream(chunks))
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
        "stack": name_of(&call.platform, stack_of(build)),
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

/// Returns what a build made its slug of, or tried to.
fn stack_of(build: &Build) -> BuildStack {
    let attempts = build.trace.iter().flat_map(|trace| &trace.attempts);
    let is_image = attempts.map(|attempt| attempt.buildpack.as_str()).eq([CONTAINER]);
    if is_image { BuildStack::Container } else { BuildStack::Buildpacks }
}

/// Returns the word of Heroku's that says most of it.
fn heroku_status(state: BuildState) -> &'static str {
    match state {
        BuildState::Queued | BuildState::Running => "pending",
        BuildState::Succeeded => "succeeded",
        BuildState::Failed | BuildState::Cancelled | BuildState::Superseded => "failed",
    }
}
