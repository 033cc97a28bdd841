//! Attempts to turn commits into slugs: a queue per app, of which one runs at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::build::BuildState;
use model::detection::DetectionTrace;
use model::id::{AppId, BuildId, SlugId, UserId};
use model::release::{CommitRef, Version};
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::leases::Lease;
use crate::row::{Columns as _, big, json, now};
use crate::slugs::{SlugRef, slug_ref};
use crate::transaction::Db;

/// One attempt to turn a commit into a slug.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// Its identity.
    pub id: BuildId,
    /// The app.
    pub app_id: AppId,
    /// Who asked for it.
    pub user_id: UserId,
    /// Their address.
    pub user_email: String,
    /// The commit; none when the source was uploaded.
    pub commit: Option<CommitRef>,
    /// The branch that was pushed.
    pub branch: Option<String>,
    /// Where it stands.
    pub state: BuildState,
    /// Why it made no slug.
    pub reason: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// What detection found.
    pub trace: Option<DetectionTrace>,
    /// What it made.
    pub slug: Option<SlugRef>,
    /// The release that followed.
    pub release: Option<Version>,
    /// Milliseconds by step.
    pub durations: BTreeMap<String, u64>,
    /// What the push or the API asked for.
    pub options: serde_json::Value,
    /// How often it was begun.
    pub attempt: u32,
    /// Somebody wants it to end.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was last begun.
    pub started_at: Option<Timestamp>,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
    /// It has failed when it is not done by then.
    pub deadline: Option<Timestamp>,
    /// Until when whoever runs it says that he does.
    pub lease_until: Timestamp,
    /// How often it changed hands.
    pub fence: u64,
    /// Its output is still there, if it wrote any.
    pub has_output: bool,
}

/// A build to be queued.
#[derive(Clone, Debug)]
pub struct NewBuild {
    /// Its identity, fresh.
    pub id: BuildId,
    /// The app.
    pub app: AppId,
    /// Who asks for it.
    pub user: UserId,
    /// The commit; none when the source was uploaded.
    pub commit: Option<CommitRef>,
    /// The branch that was pushed.
    pub branch: Option<String>,
    /// What the push or the API asks for.
    pub options: serde_json::Value,
}

/// How a build ended.
#[derive(Clone, Debug)]
pub struct BuildOutcome {
    /// A final state.
    pub state: BuildState,
    /// Why it made no slug.
    pub reason: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// What it made.
    pub slug: Option<SlugId>,
    /// Milliseconds by step.
    pub durations: BTreeMap<String, u64>,
}

macro_rules! select_build {
    ($rest:literal) => {
        concat!(
            "select b.*, u.email as user_email, s.digest as slug_digest, s.bytes as slug_bytes, s.release_command as slug_command, \
             s.collected_at as slug_collected from builds b \
             join users u on u.id = b.user_id left join slugs s on s.id = b.slug_id ",
            $rest
        )
    };
}

/// What the queue asks in every turn.
pub(crate) const UNFINISHED: &str =
    select_build!("where b.state in ('queued', 'running') order by b.created_at, b.id");

fn build(row: &AnyRow) -> Result<Build> {
    Ok(Build {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        user_id: row.parsed("user_id")?,
        user_email: row.text("user_email")?,
        commit: commit(row)?,
        branch: row.text_or_none("branch")?,
        state: row.parsed("state")?,
        reason: row.text_or_none("reason")?,
        hint: row.text_or_none("hint")?,
        trace: row.json_or_none("trace")?,
        slug: slug_ref(row)?,
        release: row.number_or_none("release_version")?.map(Version),
        durations: row.json("durations")?,
        options: row.json("options")?,
        attempt: row.number("attempt")?,
        cancel_requested: row.flag("cancel_requested")?,
        created_at: row.time("created_at")?,
        started_at: row.time_or_none("started_at")?,
        finished_at: row.time_or_none("finished_at")?,
        deadline: row.time_or_none("deadline")?,
        lease_until: row.time("lease_until")?,
        fence: row.number("fence")?,
        has_output: !row.flag("trimmed")?,
    })
}

/// Reads the columns of a commit.
pub(crate) fn commit(row: &AnyRow) -> Result<Option<CommitRef>> {
    let Some(id) = row.text_or_none("commit_id")? else { return Ok(None) };
    let subject = row.text_or_none("commit_subject")?.unwrap_or_default();
    let author = row.text_or_none("commit_author")?.unwrap_or_default();
    Ok(Some(CommitRef { id, subject, author }))
}

/// Queues a build behind those of the app that wait already.
///
/// # Errors
/// A database that fails.
pub async fn enqueue_build(db: &mut Db, new: NewBuild) -> Result<Build> {
    let id = new.id;
    sqlx::query(
        "insert into builds (id, app_id, user_id, commit_id, commit_subject, commit_author, branch, state, \
         options, created_at) values ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9)",
    )
    .bind(id.to_string())
    .bind(new.app.to_string())
    .bind(new.user.to_string())
    .bind(new.commit.as_ref().map(|commit| commit.id.clone()))
    .bind(new.commit.as_ref().map(|commit| commit.subject.clone()))
    .bind(new.commit.as_ref().map(|commit| commit.author.clone()))
    .bind(new.branch)
    .bind(json(&new.options)?)
    .bind(now())
    .execute(&mut *db)
    .await?;
    find_build(db, id).await?.ok_or(Error::Refused("the build that was just queued is gone"))
}

/// Returns the build.
///
/// # Errors
/// A database that fails.
pub async fn find_build(db: &mut Db, id: BuildId) -> Result<Option<Build>> {
    let row = sqlx::query(select_build!("where b.id = $1")).bind(id.to_string()).fetch_optional(db).await?;
    row.as_ref().map(build).transpose()
}

/// Returns the app's newest builds, newest first.
///
/// # Errors
/// A database that fails.
pub async fn list_builds(db: &mut Db, app: AppId, max: u32) -> Result<Vec<Build>> {
    let rows =
        sqlx::query(select_build!("where b.app_id = $1 order by b.created_at desc, b.id desc limit $2"))
            .bind(app.to_string())
            .bind(i64::from(max))
            .fetch_all(db)
            .await?;
    rows.iter().map(build).collect()
}

/// Returns all builds that wait or run, oldest first.
///
/// # Errors
/// A database that fails.
pub async fn list_unfinished_builds(db: &mut Db) -> Result<Vec<Build>> {
    let rows = sqlx::query(UNFINISHED).fetch_all(db).await?;
    rows.iter().map(build).collect()
}

/// Returns the app's build of this commit that waits or runs, so that a second push can follow it.
///
/// # Errors
/// A database that fails.
pub async fn find_unfinished_build_of(db: &mut Db, app: AppId, commit_id: &str) -> Result<Option<Build>> {
    let row = sqlx::query(select_build!(
        "where b.app_id = $1 and b.commit_id = $2 and b.state in ('queued', 'running') \
         order by b.created_at desc, b.id desc limit 1"
    ))
    .bind(app.to_string())
    .bind(commit_id)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(build).transpose()
}

/// Marks the build as running until the deadline, under a new fence. Returns whether it waited and no other of the app runs.
///
/// # Errors
/// A database that fails.
pub async fn start_build(db: &mut Db, id: BuildId, deadline: Timestamp, lease: &Lease) -> Result<bool> {
    let done = sqlx::query(
        "update builds set state = 'running', attempt = attempt + 1, started_at = $2, deadline = $3, \
         lease_owner = $4, lease_until = $5, fence = fence + 1 \
         where id = $1 and state = 'queued' and not exists (select 1 from builds other \
         where other.app_id = builds.app_id and other.state = 'running')",
    )
    .bind(id.to_string())
    .bind(now())
    .bind(deadline.as_millisecond())
    .bind(lease.owner.as_str())
    .bind(lease.until.as_millisecond())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Puts a running build back into the queue, as after a death of the server.
///
/// # Errors
/// A database that fails.
pub async fn requeue_build(db: &mut Db, id: BuildId) -> Result<()> {
    sqlx::query("update builds set state = 'queued' where id = $1 and state = 'running'")
        .bind(id.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Stores what detection found.
///
/// # Errors
/// A database that fails.
pub async fn set_build_trace(db: &mut Db, id: BuildId, trace: &DetectionTrace) -> Result<()> {
    sqlx::query("update builds set trace = $2 where id = $1")
        .bind(id.to_string())
        .bind(json(trace)?)
        .execute(db)
        .await?;
    Ok(())
}

/// Stores how the build ended, unless it had ended before. Returns whether it did now.
///
/// # Errors
/// A database that fails.
pub async fn finish_build(db: &mut Db, id: BuildId, outcome: BuildOutcome) -> Result<bool> {
    let done = sqlx::query(
        "update builds set state = $2, reason = $3, hint = $4, slug_id = $5, durations = $6, finished_at = $7 \
         where id = $1 and state in ('queued', 'running')",
    )
    .bind(id.to_string())
    .bind(outcome.state.as_str())
    .bind(outcome.reason)
    .bind(outcome.hint)
    .bind(outcome.slug.map(|slug| slug.to_string()))
    .bind(json(&outcome.durations)?)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes the release that followed from the build.
///
/// # Errors
/// A database that fails.
pub async fn set_build_release(db: &mut Db, id: BuildId, version: Version) -> Result<()> {
    sqlx::query("update builds set release_version = $2 where id = $1")
        .bind(id.to_string())
        .bind(big(version.0))
        .execute(db)
        .await?;
    Ok(())
}

/// Cancels the build at once if it waits, and asks for its end if it runs. Returns whether there was anything to
/// cancel.
///
/// # Errors
/// A database that fails.
pub async fn request_build_cancel(db: &mut Db, id: BuildId, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "update builds set cancel_requested = 1, \
         reason = case when state = 'queued' then $2 else reason end, \
         finished_at = case when state = 'queued' then $3 else finished_at end, \
         state = case when state = 'queued' then 'cancelled' else state end \
         where id = $1 and state in ('queued', 'running')",
    )
    .bind(id.to_string())
    .bind(reason)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
