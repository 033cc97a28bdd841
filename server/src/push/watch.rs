//! Shows a pusher what becomes of a build and its release, from the store and the logs alone: whoever comes later, or
//! again, sees the same.

use anyhow::Context as _;
use futures::StreamExt as _;
use git::PushReply;
use logs::{Line, LogDir, Position, Query, Source, Tail, Tailed};
use model::build::BuildState;
use model::id::{BuildId, OperationId};
use model::name::ProcessType;
use model::release::Version;
use model::wording::plain;
use store::{App, Operation, OperationState};

use super::failure;
use crate::platform::Platform;
use crate::{builds, deploy};

/// How the push ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The commit serves.
    Serves,
    /// It does not; what served before goes on.
    Refused,
}

/// The end of a build's output, in which its last words are looked for.
const LAST_BYTES: usize = 8 * 1024;

/// Follows a build to the end of its rollout.
pub(super) async fn build(
    platform: &Platform,
    app: &App,
    id: BuildId,
    reply: &PushReply,
) -> anyhow::Result<Ending> {
    wait_for_turn(platform, app, id, reply).await?;
    let mut last = Vec::new();
    let show = |bytes: &[u8]| {
        reply.say(bytes);
        last.extend_from_slice(bytes);
        last.drain(..last.len().saturating_sub(LAST_BYTES));
    };
    builds::follow(platform, id, show).await?;
    let build = builds::finished(platform, id).await?;
    match (build.state, build.release, &build.commit) {
        (BuildState::Succeeded, Some(version), Some(commit)) => {
            release(platform, app, version, &commit.id, reply).await
        }
        _ => {
            failure::say_build(platform, &build, &String::from_utf8_lossy(&last), reply).await?;
            Ok(Ending::Refused)
        }
    }
}

/// Says once whom the push waits for, and returns when the build is no longer in the queue.
async fn wait_for_turn(platform: &Platform, app: &App, id: BuildId, reply: &PushReply) -> anyhow::Result<()> {
    let mut changes = platform.changes();
    let mut told = false;
    loop {
        let mut db = platform.store.read().await?;
        let build = store::find_build(&mut db, id).await?;
        if build.is_none_or(|build| build.state != BuildState::Queued) {
            return Ok(());
        }
        if !told && let Some(first) = platform.builds.in_the_way(app.id).filter(|first| *first != id) {
            let first = store::find_build(&mut db, first).await?;
            let commit =
                first.as_ref().and_then(|b| b.commit.as_ref()).map_or("another build", |c| c.short());
            let whose = first.as_ref().map_or("somebody", |b| b.user_email.as_str());
            let text = format!("-----> Waiting for {commit}, pushed by {whose}; this push is next\n");
            reply.say(text.as_bytes());
            told = true;
        }
        drop(db);
        changes.next().await;
    }
}

/// Follows a release's rollout, and what takes its place, until it is known whether the commit serves.
pub(super) async fn release(
    platform: &Platform,
    app: &App,
    version: Version,
    commit: &str,
    reply: &PushReply,
) -> anyhow::Result<Ending> {
    let mut db = platform.store.read().await?;
    let first = store::operation_of_release(&mut db, app.id, version).await?;
    drop(db);
    reply.say(format!("-----> Rolling out {version}\n").as_bytes());
    // A release without an operation had nothing to roll out.
    let Some(mut id) = first else { return Ok(Ending::Serves) };
    let mut output = ReleaseOutput::open(platform, app, version)?;
    loop {
        let operation = watched(platform, id, &mut output, reply).await?;
        match (operation.state, operation.superseded_by) {
            (OperationState::Superseded, Some(newer)) => {
                let text = format!(
                    " !     {} was superseded by a newer change; following that\n",
                    operation.version
                );
                reply.say(text.as_bytes());
                id = newer;
            }
            _ => return conclude(platform, app, operation, commit, reply).await,
        }
    }
}

/// Shows an operation and the output of its release command until it has ended.
async fn watched(
    platform: &Platform,
    id: OperationId,
    output: &mut ReleaseOutput,
    reply: &PushReply,
) -> anyhow::Result<Operation> {
    let ended = operation(platform, id, reply);
    tokio::pin!(ended);
    let operation = loop {
        tokio::select! {
            operation = &mut ended => break operation?,
            () = output.show_next(reply) => {}
        }
    };
    output.show_rest(reply).await?;
    Ok(operation)
}

async fn conclude(
    platform: &Platform,
    app: &App,
    operation: Operation,
    commit: &str,
    reply: &PushReply,
) -> anyhow::Result<Ending> {
    if operation.state != OperationState::Succeeded {
        failure::say_rollout(platform, app, &operation, reply).await?;
        return Ok(Ending::Refused);
    }
    let outcome = deploy::outcome_of(platform, operation).await?;
    let release = &outcome.release;
    if outcome.serves(commit) {
        let url = platform.web_url(app);
        reply.say(format!("-----> {} serves at {url}\n", release.version).as_bytes());
        return Ok(Ending::Serves);
    }
    let words = format!(
        "\n !     {} ({}, by {}) took the place of this push before it served.\n !     To deploy this commit after all, push it again.\n",
        release.version, release.description, release.user_email
    );
    reply.say(words.as_bytes());
    Ok(Ending::Refused)
}

/// Shows an operation's steps as they happen and returns it when it has ended.
async fn operation(platform: &Platform, id: OperationId, reply: &PushReply) -> anyhow::Result<Operation> {
    let mut changes = platform.changes();
    let mut told = 0;
    loop {
        let mut db = platform.store.read().await?;
        let operation = store::find_operation(&mut db, id).await?.context("the operation is gone")?;
        let steps = store::list_steps(&mut db, id).await?;
        drop(db);
        let ended = operation.state != OperationState::Active;
        // The last step tells the outcome, which is said in full afterwards.
        let shown = if ended { steps.len().saturating_sub(1) } else { steps.len() };
        for step in steps.iter().take(shown).skip(told) {
            reply.say(format!("       {}\n", plain(&step.text, 2_000)).as_bytes());
        }
        told = told.max(shown);
        if ended {
            return Ok(operation);
        }
        changes.next().await;
    }
}

/// What the release command writes, shown line by line.
struct ReleaseOutput {
    stream: LogDir,
    query: Query,
    lines: Tail,
    shown: Position,
}

impl ReleaseOutput {
    fn open(platform: &Platform, app: &App, version: Version) -> anyhow::Result<Self> {
        let stream = platform.logs.open(app.id)?;
        let process = format!("{}.{}", ProcessType::release(), version.0);
        let query = Query { source: Some(Source::App), process: Some(process), ..Query::default() };
        let lines = stream.tail(query.clone(), Position::START);
        Ok(Self { stream, query, lines, shown: Position::START })
    }

    /// Shows the next line when there is one; never returns when the stream has ended.
    async fn show_next(&mut self, reply: &PushReply) {
        match self.lines.next().await {
            Some(Tailed::Line(line)) => self.show(&line, reply),
            Some(Tailed::Skipped(skipped)) => reply.say(format!("       release: [{skipped}]\n").as_bytes()),
            None => std::future::pending().await,
        }
    }

    /// Shows what was written but had not arrived when the operation ended.
    async fn show_rest(&mut self, reply: &PushReply) -> anyhow::Result<()> {
        let (stream, query) = (self.stream.clone(), self.query.clone());
        let all = tokio::task::spawn_blocking(move || stream.read(&query)).await??;
        for line in all.lines {
            if !self.shown.has_passed(line.place) {
                self.show(&line, reply);
            }
        }
        Ok(())
    }

    fn show(&mut self, line: &Line, reply: &PushReply) {
        self.shown.pass(line.place);
        reply.say(format!("       release: {}\n", plain(&line.text, 2_000)).as_bytes());
    }
}
