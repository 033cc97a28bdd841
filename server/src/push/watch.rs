//! Shows a pusher what becomes of a build and its release, from the store and the logs alone: whoever comes later, or
//! again, sees the same.

use std::time::Duration;

use futures::StreamExt as _;
use git::hook::PushReply;
use logs::{Line, LogDir, Position, Query, Source, Tail, Tailed};
use model::build::BuildState;
use model::id::{BuildId, OperationId};
use model::name::ProcessType;
use model::release::Version;
use model::wording::plain;
use store::{App, Build, Operation, OperationState};

use crate::builds;
use crate::platform::Platform;

/// How the push ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The commit serves.
    Serves,
    /// It does not; what served before goes on.
    Refused,
}

/// Changes wake those who wait; this is how long they wait at most before they look again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Follows a build to the end of its rollout.
pub(super) async fn build(
    platform: &Platform,
    app: &App,
    id: BuildId,
    reply: &PushReply,
) -> anyhow::Result<Ending> {
    wait_for_turn(platform, app, id, reply).await?;
    builds::follow(platform, id, |bytes| reply.say(bytes)).await?;
    let build = builds::finished(platform, id).await?;
    match (build.state, build.release) {
        (BuildState::Succeeded, Some(version)) => release(platform, app, version, reply).await,
        _ => {
            say_failure(&build, reply);
            Ok(Ending::Refused)
        }
    }
}

/// Says how a build ended that made no slug. Why it failed is what its log says last.
fn say_failure(build: &Build, reply: &PushReply) {
    let why = match (&build.reason, build.state) {
        (Some(reason), BuildState::Cancelled | BuildState::Superseded) => format!(": {reason}"),
        _ => String::new(),
    };
    let words =
        format!("\n !     Push rejected{why}\n !     Nothing was deployed, and what runs was not touched.\n");
    reply.say(words.as_bytes());
}

/// Says once whom the push waits for, and returns when the build is no longer in the queue.
async fn wait_for_turn(platform: &Platform, app: &App, id: BuildId, reply: &PushReply) -> anyhow::Result<()> {
    let mut changes = platform.changes();
    let mut told = false;
    loop {
        changes.mark_unchanged();
        let mut db = platform.store.read().await?;
        let build = store::find_build(&mut db, id).await?;
        let queued = build.as_ref().is_some_and(|build| build.state == BuildState::Queued);
        if !queued {
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
        let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
    }
}

/// Follows a release's rollout; where a newer release took its place, that one's.
async fn release(
    platform: &Platform,
    app: &App,
    version: Version,
    reply: &PushReply,
) -> anyhow::Result<Ending> {
    let mut db = platform.store.read().await?;
    let mut next = store::operation_of_release(&mut db, app.id, version).await?;
    drop(db);
    reply.say(format!("-----> Rolling out {version}\n").as_bytes());
    let mut output = ReleaseOutput::open(platform, app, version)?;
    while let Some(id) = next {
        let operation = {
            let ended = operation(platform, id, reply);
            tokio::pin!(ended);
            loop {
                tokio::select! {
                    operation = &mut ended => break operation?,
                    () = output.show_next(reply) => {}
                }
            }
        };
        output.show_rest(reply)?;
        match operation.state {
            OperationState::Succeeded => {
                let url = platform.options.web_url(app.name.as_str());
                reply.say(format!("-----> {} serves at {url}\n", operation.version).as_bytes());
                return Ok(Ending::Serves);
            }
            OperationState::Superseded => {
                reply.say(
                    format!(
                        " !     {} was superseded by a newer change; following that\n",
                        operation.version
                    )
                    .as_bytes(),
                );
                next = operation.superseded_by;
            }
            OperationState::Failed | OperationState::Cancelled | OperationState::Active => {
                say_failed_rollout(platform, app, &operation, reply).await?;
                return Ok(Ending::Refused);
            }
        }
    }
    Ok(Ending::Serves)
}

async fn say_failed_rollout(
    platform: &Platform,
    app: &App,
    operation: &Operation,
    reply: &PushReply,
) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let serving = store::find_app_by_id(&mut db, app.id).await?.and_then(|app| app.serving);
    let reason = plain(operation.reason.as_deref().unwrap_or("it was ended"), 2_000);
    let stays = match serving {
        Some(serving) => format!("{} goes on serving; nothing that runs was touched.", serving.version),
        None => "Nothing served before, so nothing serves now.".to_owned(),
    };
    let version = operation.version;
    let words = format!(
        "\n !     {version} failed: {reason}.\n !     {stays}\n !     See what it wrote: paasctl logs -n 100 -a {0}\n",
        app.name
    );
    reply.say(words.as_bytes());
    Ok(())
}

/// Shows an operation's steps as they happen and returns it when it has ended.
async fn operation(platform: &Platform, id: OperationId, reply: &PushReply) -> anyhow::Result<Operation> {
    let mut changes = platform.changes();
    let mut told = 0;
    loop {
        changes.mark_unchanged();
        let mut db = platform.store.read().await?;
        let operation = store::find_operation(&mut db, id).await?;
        let steps = store::list_steps(&mut db, id).await?;
        drop(db);
        let operation = operation.ok_or_else(|| anyhow::anyhow!("the operation is gone"))?;
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
        let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
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
    fn show_rest(&mut self, reply: &PushReply) -> anyhow::Result<()> {
        for line in self.stream.read(&self.query)?.lines {
            if line.position > self.shown {
                self.show(&line, reply);
            }
        }
        Ok(())
    }

    fn show(&mut self, line: &Line, reply: &PushReply) {
        self.shown = line.position;
        reply.say(format!("       release: {}\n", plain(&line.text, 2_000)).as_bytes());
    }
}
