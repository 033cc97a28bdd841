//! A push from its first byte to the moment at which its caller decides: reads the head, has git take the objects in, and
//! answers on its own where there is nothing to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::{mpsc, oneshot};

use super::INCOMING;
use super::advice;
use super::head::{Head, HeadError, Reader};
use super::reply::{Chunks, PushReply};
use super::report::Fate;
use super::unpack::{UnpackError, Wanted, unpack};
use crate::body::{Body, BodyError};
use crate::repository::PRIVATE_REFS;
use crate::{RefUpdate, Reply, Repository, Request, ServeLimits};

/// Packets that wait for a slow client.
const PACKETS_AHEAD: usize = 512;

/// One push whose objects are here; none of its references has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest {
    /// The references that are to move; at least one.
    pub updates: Vec<RefUpdate>,
    /// What came with `git push -o`; not trusted.
    pub options: Vec<String>,
    /// Whether the references move together or not at all.
    pub atomic: bool,
    /// What keeps the objects meanwhile; see `Repository::forget_push`.
    pub(crate) incoming: String,
}

/// Takes a push in, and returns the answer that its client reads and the place where the push appears once its objects
/// are here. It does not appear where there is nothing to decide. The limit on time is that of taking it in. Must be called
/// within a tokio runtime. Dropping the answer before the push appears ends it.
pub fn receive<B, E>(
    repository: &Repository,
    request: Request<B>,
    limits: ServeLimits,
) -> (Reply, oneshot::Receiver<(PushRequest, PushReply)>)
where
    B: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let (out, chunks) = mpsc::channel(PACKETS_AHEAD);
    let (appears, push) = oneshot::channel();
    let repository = repository.clone();
    tokio::spawn(async move {
        let mut body = Body::new(request.body, request.gzip, limits.body_bytes, limits.idle);
        let taken = take_in(&repository, &mut body, &limits, &out).await;
        if let Some((request, reply)) = taken
            && let Err((request, _)) = appears.send((request, reply))
        {
            repository.forget_push(&request).await;
        }
        // Closing on a client that still sends would take the answer from it.
        crate::serve::discard(&mut body, &out).await;
    });
    (Reply { chunks }, push)
}

async fn take_in(
    repository: &Repository,
    body: &mut Body,
    limits: &ServeLimits,
    out: &Chunks,
) -> Option<(PushRequest, PushReply)> {
    let mut reader = Reader::default();
    let read = tokio::select! {
        read = read_head(&mut reader, body) => read,
        () = out.closed() => return None,
        () = tokio::time::sleep(limits.total) => Err(UnpackError::TooLong(limits.total)),
    };
    let head = reader.head;
    let mut reply = PushReply::new(out.clone(), head.terms);
    reply.expect(head.updates.iter().map(|update| update.name.clone()).collect(), Vec::new());
    let admitted = match read {
        // A client that asks whether it may push sends nothing but an end.
        Ok(_) if head.updates.is_empty() => return None,
        Ok(rest) => admit(repository, head, rest, body, (out, limits)).await,
        Err(error) => Err(error),
    };
    match admitted {
        Ok((request, refused)) => {
            reply.expect(request.updates.iter().map(|update| update.name.clone()).collect(), refused);
            if !request.updates.is_empty() {
                return Some((request, reply));
            }
            reply.finish([]).await;
        }
        Err(error) => explain(error, reply).await,
    }
    None
}

async fn read_head(reader: &mut Reader, body: &mut Body) -> Result<Bytes, UnpackError> {
    while let Some(chunk) = body.next().await? {
        if let Some(rest) = reader.take(&chunk)? {
            return Ok(rest);
        }
    }
    Err(HeadError::NotOne.into())
}

/// Has git take in what may be asked for, and tells apart what there is to decide and what is refused already.
async fn admit(
    repository: &Repository,
    head: Head,
    rest: Bytes,
    body: &mut Body,
    bounds: (&Chunks, &ServeLimits),
) -> Result<(PushRequest, Vec<(String, Fate)>), UnpackError> {
    let _visit = repository.visit().map_err(anyhow::Error::from)?;
    let incoming = format!("{INCOMING}{}", repository.token().map_err(anyhow::Error::from)?);
    let commits: BTreeSet<_> = head.updates.iter().filter_map(|update| update.new).collect();
    let commits: Vec<_> = commits.into_iter().collect();
    let mut opinions = BTreeMap::new();
    if !commits.is_empty() {
        let wanted = Wanted { head: &head, commits: &commits, incoming: &incoming, rest };
        opinions = commits.iter().copied().zip(unpack(repository, wanted, body, bounds).await?).collect();
    }
    let (mut updates, mut refused) = (Vec::new(), Vec::new());
    for update in head.updates {
        let opinion = update.new.and_then(|new| opinions.get(&new).cloned()).unwrap_or(Ok(()));
        match check_name(&update.name).and(opinion) {
            Ok(()) => updates.push(update),
            fate => refused.push((update.name, fate)),
        }
    }
    if head.atomic && !refused.is_empty() {
        let others = updates.drain(..).map(|update| (update.name, Err("atomic push failed".to_owned())));
        refused.extend(others);
    }
    Ok((PushRequest { updates, options: head.options, atomic: head.atomic, incoming }, refused))
}

pub(crate) fn check_name(name: &str) -> Fate {
    if !name.starts_with("refs/") || !git2::Reference::is_valid_name(name) {
        return Err("it cannot be the name of a reference".to_owned());
    }
    let private =
        name.strip_prefix(PRIVATE_REFS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if private { Err("deny updating a hidden ref".to_owned()) } else { Ok(()) }
}

async fn explain(error: UnpackError, reply: PushReply) {
    let (lines, reason) = match error {
        UnpackError::Body(BodyError::TooLarge(limit)) => (
            vec![
                format!("This push is larger than {} MB, the limit here.", limit.div_ceil(1_000_000)),
                "Large files belong in a file store, not in git; `git rm --cached FILE` and a new commit, or"
                    .to_owned(),
                "`git filter-repo` where they are in the history, make a push smaller.".to_owned(),
            ],
            "the push is too large".to_owned(),
        ),
        UnpackError::Body(error) => {
            (vec![format!("The push was given up: {error}.")], "the push broke off".to_owned())
        }
        UnpackError::TooLong(limit) => (
            vec![format!("The push took longer than {} minutes and was ended.", limit.as_secs() / 60)],
            "the push took too long".to_owned(),
        ),
        UnpackError::Full(short) => (
            vec![
                format!("Nothing was kept of this push: {short}."),
                "Free space on the server, and push again; `paasctl doctor` shows the disk.".to_owned(),
            ],
            "the server's disk is nearly full".to_owned(),
        ),
        UnpackError::Head(error) => (vec![format!("Nothing was received: {error}.")], error.to_string()),
        UnpackError::Refused { reason, words } => (advice::explain(&words), reason),
        UnpackError::Left => return,
        UnpackError::Internal(error) => {
            tracing::warn!(error = format!("{error:#}"), "a push could not be taken in");
            (
                vec!["The push failed for a reason of the server's; its log has the details.".to_owned()],
                "the server failed".to_owned(),
            )
        }
    };
    reply.give_up(&lines, &reason).await;
}
