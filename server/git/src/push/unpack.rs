//! Lets `git receive-pack` take a pack in and check it, under references of the server's own: what is there when it has
//! ended is whole, reachable, and safe from being tidied away. Moves nothing that a client sees.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

use super::INCOMING;
use super::head::{Head, HeadError};
use super::reply::Chunks;
use super::report::Fate;
use crate::body::{Body, BodyError};
use crate::pkt::{self, Pkt};
use crate::process::{Group, last_words};
use crate::{DiskShort, ObjectId, Repository, ServeLimits, Service, reserve};

/// Bytes of git's report and of its words that are heard.
const LONGEST_REPORT: u64 = 8 << 20;
const LONGEST_WORDS: u64 = 64 << 10;

/// Version 2, no objects, and the checksum of that (gitformat-pack(5)).
const EMPTY_PACK: &[u8] =
    b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";
/// How long to wait, in milliseconds, before each look for what somebody else is bringing.
const COLLISION_PAUSES: [u64; 6] = [20, 50, 100, 200, 500, 1_000];

/// Why git took nothing in.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    /// The client's doing.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Not the beginning of a push.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Nobody waits for it any more.
    #[error("the client left")]
    Left,
    /// Over the bound.
    #[error("it took longer than {} minutes", .0.as_secs() / 60)]
    TooLong(Duration),
    /// No room.
    #[error(transparent)]
    Full(#[from] DiskShort),
    /// git's refusal: why in a few words, and all it said.
    #[error("{reason}")]
    Refused { reason: String, words: String },
    /// The server's own trouble.
    #[error("git could not take the push in")]
    Internal(#[from] anyhow::Error),
}

/// What git is asked to take in.
pub(super) struct Wanted<'a> {
    pub(super) head: &'a Head,
    pub(super) commits: &'a [ObjectId],
    /// The name under which commit N is kept, less its `/N`.
    pub(super) incoming: &'a str,
    /// What has been read of the pack.
    pub(super) rest: Bytes,
}

/// Returns git's opinion of each commit. Ends git when the client leaves, the time is over or the disk is short.
pub(super) async fn unpack(
    repository: &Repository,
    wanted: Wanted<'_>,
    body: &mut Body,
    bounds: (&Chunks, &ServeLimits),
) -> Result<Vec<Fate>, UnpackError> {
    let fates = attempt(repository, &wanted, body, bounds).await?;
    if !fates.iter().any(is_collision) {
        return Ok(fates);
    }
    let (_, limits) = bounds;
    // Somebody else sends the same pack at the same moment: what it holds is here, or will be in a moment.
    let wanted = Wanted { rest: Bytes::from_static(EMPTY_PACK), ..wanted };
    let mut again = fates;
    for pause in COLLISION_PAUSES {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let mut nothing =
            Body::new(futures::stream::empty::<Result<Bytes, io::Error>>(), false, 0, limits.idle);
        again = attempt(repository, &wanted, &mut nothing, bounds).await?;
        if again.iter().all(Result::is_ok) {
            break;
        }
    }
    Ok(again)
}

async fn attempt(
    repository: &Repository,
    wanted: &Wanted<'_>,
    body: &mut Body,
    bounds: (&Chunks, &ServeLimits),
) -> Result<Vec<Fate>, UnpackError> {
    let (out, limits) = bounds;
    let mut group = Group::spawn(&mut command(repository, limits)).context("git cannot be started")?;
    let taken = tokio::select! {
        taken = converse(&mut group, wanted, body) => taken,
        () = out.closed() => Err(UnpackError::Left),
        () = tokio::time::sleep(limits.total) => Err(UnpackError::TooLong(limits.total)),
        short = reserve::run_short(repository.path(), limits.reserve_bytes) => Err(short.into()),
    };
    let (report, words) = match taken {
        Ok(heard) => heard,
        Err(error) => {
            group.terminate().await;
            return Err(error);
        }
    };
    let refused = |reason| UnpackError::Refused { reason, words: told(&words) };
    opinions(&report, wanted.commits.len()).unwrap_or_else(|| Err(last_words(&words))).map_err(refused)
}

fn command(repository: &Repository, limits: &ServeLimits) -> Command {
    let mut command = Service::ReceivePack.command(repository, None);
    command.args(["-c", "core.hooksPath=/dev/null", "-c"]).arg(format!("receive.hideRefs=!{INCOMING}"));
    // What is kept for longer is made durable when it is.
    command.args(["-c", "core.fsync=all,-reference"]);
    command.arg("-c").arg(format!("receive.maxInputSize={}", limits.body_bytes));
    command.args(["receive-pack", "--stateless-rpc", "."]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Asks for each commit under a name that is the server's. Nothing else of the head reaches git.
fn request(wanted: &Wanted<'_>) -> Vec<u8> {
    let (mut out, nothing, incoming) = (Vec::new(), "0".repeat(40), wanted.incoming);
    for end in &wanted.head.shallow {
        pkt::put(&mut out, format!("shallow {end}").as_bytes());
    }
    for (at, commit) in wanted.commits.iter().enumerate() {
        let capabilities = if at == 0 { "\0report-status object-format=sha1" } else { "" };
        pkt::put(&mut out, format!("{nothing} {commit} {incoming}/{at}{capabilities}").as_bytes());
    }
    out.extend_from_slice(pkt::FLUSH);
    out
}

async fn converse(
    group: &mut Group,
    wanted: &Wanted<'_>,
    body: &mut Body,
) -> Result<(Vec<u8>, Vec<u8>), UnpackError> {
    let stdin = group.child.stdin.take().context("git takes no input")?;
    let stdout = group.child.stdout.take().context("git says nothing")?;
    let stderr = group.child.stderr.take().context("git says nothing")?;
    let (mut stdout, mut stderr) = (stdout.take(LONGEST_REPORT), stderr.take(LONGEST_WORDS));
    let listening = async {
        let (mut report, mut words) = (Vec::new(), Vec::new());
        let all = tokio::try_join!(stdout.read_to_end(&mut report), async {
            stderr.read_to_end(&mut words).await?;
            tokio::io::copy(stderr.get_mut(), &mut tokio::io::sink()).await
        });
        let _ = (all.context("git broke off")?, group.wait().await);
        Ok::<_, anyhow::Error>((report, words))
    };
    tokio::pin!(listening);
    tokio::select! {
        fed = feed(body, stdin, [request(wanted).into(), wanted.rest.clone()]) => {
            fed?;
            Ok(listening.await?)
        }
        // git stops reading once it has decided.
        heard = &mut listening => Ok(heard?),
    }
}

async fn feed(body: &mut Body, mut stdin: ChildStdin, begin: [Bytes; 2]) -> Result<(), BodyError> {
    for chunk in begin {
        if stdin.write_all(&chunk).await.is_err() {
            return Ok(());
        }
    }
    while let Some(chunk) = body.next().await? {
        if stdin.write_all(&chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads a report: the error is why nothing was unpacked; none if it is not a report.
fn opinions(mut report: &[u8], count: usize) -> Option<Result<Vec<Fate>, String>> {
    let mut fates = vec![Err("git did not say".to_owned()); count];
    let mut unpacked = None;
    while let Ok(Some((Pkt::Data(line), rest))) = pkt::split(report) {
        report = rest;
        let line = String::from_utf8_lossy(line);
        let mut parts = line.trim_end().splitn(3, ' ');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("unpack", "ok", None) => unpacked = Some(Ok(())),
            ("unpack", first, rest) => {
                unpacked = Some(Err([first, rest.unwrap_or_default()].join(" ").trim_end().to_owned()));
            }
            (kind, name, why) => {
                let at: usize = name.rsplit('/').next()?.parse().ok()?;
                let fate = if kind == "ok" { Ok(()) } else { Err(why.unwrap_or("refused").to_owned()) };
                *fates.get_mut(at)? = fate;
            }
        }
    }
    unpacked.map(|unpacked| unpacked.map(|()| fates))
}

/// git calls it an error when it finds another file under the name of its own pack's lock.
fn is_collision(fate: &Fate) -> bool {
    fate.as_ref().is_err_and(|why| why.contains("unable to migrate objects"))
}

/// What git said is wrong, a line each.
fn told(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let wrong = |line: &&str| ["error: ", "fatal: ", "warning: "].iter().any(|mark| line.starts_with(mark));
    text.lines().filter(wrong).take(20).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(lines: &[&str]) -> Vec<u8> {
        let mut report = Vec::new();
        lines.iter().for_each(|line| pkt::put(&mut report, line.as_bytes()));
        report
    }

    #[test]
    fn gits_opinions_are_read_by_number() {
        let told = report(&["unpack ok\n", "ng refs/paas/incoming/x/1 missing objects\n", "ok refs/x/0\n"]);
        assert_eq!(opinions(&told, 2), Some(Ok(vec![Ok(()), Err("missing objects".to_owned())])));
        let broken = report(&["unpack index-pack abnormal exit\n", "ng refs/x/0 unpacker error\n"]);
        assert_eq!(opinions(&broken, 1), Some(Err("index-pack abnormal exit".to_owned())));
        assert_eq!(opinions(&report(&["ok refs/x/0"]), 1), None, "nothing about the pack");
        assert_eq!(opinions(&report(&["unpack ok", "ok refs/x/7"]), 1), None, "nobody asked for that");
    }

    proptest! {
        #[test]
        fn no_report_makes_it_panic(bytes: Vec<u8>, lines in proptest::collection::vec(".{0,30}", 0..5)) {
            let _ = opinions(&bytes, 3);
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let _ = opinions(&report(&lines), 3);
        }
    }
}
