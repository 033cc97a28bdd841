//! What a pusher reads when a push deployed nothing: why, the last words of what failed, what serves instead, and which
//! command shows more. It decides nothing.

use git::PushReply;
use logs::{Line, Query, Source};
use model::id::AppId;
use model::name::ProcessType;
use model::plan::RolloutPhase;
use model::wording::{plain, sentence};
use store::{App, Build, Operation};

use crate::platform::Platform;

/// The last lines of a replica that are shown: a server's own last words, and the exception before them.
const LAST_LINES: usize = 10;

/// The lines of an app's replicas among which those of one replica of one release are looked for.
const LINES_READ: usize = 2_000;

/// Says how a build ended that made no slug. Why is usually what its log says last; where it is not, it is said here.
pub(super) async fn say_build(
    platform: &Platform,
    build: &Build,
    last: &str,
    reply: &PushReply,
) -> anyhow::Result<()> {
    let why = match &build.reason {
        Some(reason) if !last.contains(reason.as_str()) => format!(": {reason}"),
        _ => String::new(),
    };
    let stays = stays(platform, build.app_id).await?;
    let words = format!("\n !     Push rejected{why}\n !     Nothing was deployed. {stays}\n");
    reply.say(words.as_bytes());
    Ok(())
}

/// Says why a rollout failed, with the last lines of the replica that is to blame.
pub(super) async fn say_rollout(
    platform: &Platform,
    app: &App,
    operation: &Operation,
    reply: &PushReply,
) -> anyhow::Result<()> {
    let reason = plain(operation.reason.as_deref().unwrap_or("it was ended"), 2_000);
    if let Some(replica) = replica_in(&reason) {
        for line in last_lines(platform, app.id, operation, replica).await? {
            let text = plain(&line.text, 2_000);
            reply.say(format!("       {}[{replica}]: {text}\n", line.source).as_bytes());
        }
    }
    let (version, name) = (operation.version, &app.name);
    let failed = sentence(&format!("{version} failed: {reason}"));
    let present = store::find_app_by_id(&mut *platform.store.read().await?, app.id).await?;
    if present.is_none_or(|app| app.deleted_at.is_some()) {
        // Its logs go with it.
        reply.say(format!("\n !     {failed}\n").as_bytes());
        return Ok(());
    }
    let stays = stays(platform, app.id).await?;
    // What a release command wrote is no replica's: its output has a command of its own.
    let more = match operation.phase {
        RolloutPhase::ReleaseCommand => format!("paasctl releases:output {version} -a {name}"),
        RolloutPhase::Rolling => format!("paasctl logs -n 100 -a {name}"),
    };
    let words = format!("\n !     {failed}\n !     {stays}\n !     See what it wrote: {more}\n");
    reply.say(words.as_bytes());
    Ok(())
}

/// Returns the first replica that a reason names, `web.1`.
fn replica_in(reason: &str) -> Option<&str> {
    let is_replica = |word: &&str| {
        word.split_once('.').is_some_and(|(process, number)| {
            process.starts_with(|first: char| first.is_ascii_alphabetic())
                && process.parse::<ProcessType>().is_ok_and(|process| process.is_scalable())
                && number.parse::<u32>().is_ok()
        })
    };
    reason.split_whitespace().find(is_replica)
}

/// Reads what a replica of the operation's release wrote last.
async fn last_lines(
    platform: &Platform,
    app: AppId,
    operation: &Operation,
    replica: &str,
) -> anyhow::Result<Vec<Line>> {
    let stream = platform.logs.open(app)?;
    let query = Query {
        lines: Some(LINES_READ),
        since: Some(operation.created_at),
        source: Some(Source::App),
        process: Some(replica.to_owned()),
        ..Query::default()
    };
    let read = tokio::task::spawn_blocking(move || stream.read(&query)).await??;
    let mut lines = read.lines;
    lines.retain(|line| line.release == Some(operation.version.0));
    Ok(lines.split_off(lines.len().saturating_sub(LAST_LINES)))
}

/// Says what serves where a push changed nothing.
async fn stays(platform: &Platform, app: AppId) -> anyhow::Result<String> {
    let mut db = platform.store.read().await?;
    let serving = store::find_app_by_id(&mut db, app).await?.and_then(|app| app.serving);
    Ok(match serving {
        Some(serving) => format!("{} goes on serving; nothing that runs was touched.", serving.version),
        None => "Nothing served before, so nothing serves now.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replica_that_is_to_blame_is_found_in_the_reason() {
        let of = |reason| replica_in(reason);
        assert_eq!(of("web.1 exited with status 3; its last line was: x"), Some("web.1"));
        assert_eq!(of("the time for it was over; worker.12 was not healthy"), Some("worker.12"));
        assert_eq!(of("the release command exited with status 4; its last line was: no 1.5"), None);
    }
}
