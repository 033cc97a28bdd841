//! Carries bytes between a request and a git process until one of them ends, a bound is reached or the client
//! leaves; then ends the process and, where the bound was the client's doing, says so in the client's protocol.

use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::body::{Body, BodyError};
use crate::pkt::Boundary;
use crate::process::Group;
use crate::refusal::LONGEST_HEAD;
use crate::terminal::clean_line;
use crate::{Service, push_refusal};

/// Bytes read from git at once.
const CHUNK: usize = 64 << 10;
/// After a refusal, how much and how long a client may go on sending before it is cut off.
const DISCARD_BYTES: u64 = 4 << 30;
const DISCARD_TIME: Duration = Duration::from_secs(120);

/// Bounds of one request.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// Of the body, unpacked, in bytes: in effect the size of a pushed pack.
    pub body_bytes: u64,
    /// How long a client may send nothing while its body is not complete.
    pub idle: Duration,
    /// From start to end. A push includes its build and rollout.
    pub total: Duration,
}

enum Stop {
    /// git has said all it had to say.
    Done,
    /// Nobody listens any more.
    Left,
    Body(BodyError),
    TooLong(Duration),
}

pub(super) type Chunks = mpsc::Sender<io::Result<Bytes>>;

/// Returns when the process and all it started are gone.
pub(super) async fn conduct<B, E>(
    service: Service,
    mut group: Group,
    body: &mut Body<B>,
    limits: &ServeLimits,
    out: &Chunks,
) where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let deadline = Instant::now() + limits.total;
    let (head, mut boundary) = (Mutex::new(Vec::new()), Boundary::default());
    let child = (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = child else { return group.terminate().await };
    let words = tokio::spawn(collect(stderr));
    let stop = tokio::select! {
        stop = carry(body, stdin, stdout, out, (&head, &mut boundary)) => stop,
        () = out.closed() => Stop::Left,
        () = tokio::time::sleep_until(deadline) => Stop::TooLong(limits.total),
    };
    match stop {
        Stop::Done => {
            if !matches!(tokio::time::timeout_at(deadline, group.wait()).await, Ok(Ok(true))) {
                group.terminate().await;
                log_failure(service, words).await;
            }
        }
        stop => {
            group.terminate().await;
            let head = head.into_inner().unwrap_or_default();
            if boundary.is_between_lines() && service == Service::ReceivePack {
                tell(&stop, &head, out).await;
            }
        }
    }
}

/// Reads on where git did not, also when it ended on its own: closing on a client that still sends would take the
/// answer from it.
pub(super) async fn discard<B, E>(body: &mut Body<B>, out: &Chunks)
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    tokio::select! {
        () = body.discard(DISCARD_BYTES, Instant::now() + DISCARD_TIME) => (),
        () = out.closed() => (),
    }
}

async fn carry<B, E>(
    body: &mut Body<B>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    out: &Chunks,
    (head, boundary): (&Mutex<Vec<u8>>, &mut Boundary),
) -> Stop
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut feeding = std::pin::pin!(feed(body, stdin, head));
    let mut forwarding = std::pin::pin!(forward(stdout, out, boundary));
    tokio::select! {
        fed = &mut feeding => match fed {
            Ok(()) => forwarding.await,
            Err(error) => Stop::Body(error),
        },
        stop = &mut forwarding => stop,
    }
}

async fn feed<B, E>(body: &mut Body<B>, mut stdin: ChildStdin, head: &Mutex<Vec<u8>>) -> Result<(), BodyError>
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    while let Some(chunk) = body.next().await? {
        if let Ok(mut head) = head.lock() {
            let missing = LONGEST_HEAD - head.len();
            head.extend_from_slice(&chunk[..chunk.len().min(missing)]);
        }
        // git stops reading once it has decided; its answer says what.
        if stdin.write_all(&chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn forward(mut stdout: ChildStdout, out: &Chunks, boundary: &mut Boundary) -> Stop {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) => return Stop::Done,
            Ok(_) => boundary.pass(&buffer),
            Err(error) => {
                let _ = out.send(Err(error)).await;
                return Stop::Left;
            }
        }
        if out.send(Ok(buffer.freeze())).await.is_err() {
            return Stop::Left;
        }
    }
}

async fn tell(stop: &Stop, head: &[u8], out: &Chunks) {
    let (lines, reason) = match stop {
        Stop::Body(BodyError::TooLarge(limit)) => (
            vec![
                format!("This push is larger than {} MB, the limit here.", limit.div_ceil(1_000_000)),
                "Large files belong in a file store, not in git; `git rm --cached FILE` and a new commit, or"
                    .to_owned(),
                "`git filter-repo` where they are in the history, make a push smaller.".to_owned(),
            ],
            "the push is too large",
        ),
        Stop::Body(error @ (BodyError::Silent(_) | BodyError::Gzip(_))) => {
            (vec![format!("The push was given up: {error}.")], "the push broke off")
        }
        Stop::TooLong(limit) => (
            vec![format!("The push took longer than {} minutes and was ended.", limit.as_secs() / 60)],
            "the push took too long",
        ),
        _ => return,
    };
    let _ = out.send(Ok(push_refusal(head, &lines, reason))).await;
}

async fn collect(stderr: ChildStderr) -> Vec<u8> {
    let mut words = Vec::new();
    let mut beginning = stderr.take(4096);
    let _ = beginning.read_to_end(&mut words).await;
    let _ = drain(&mut beginning.into_inner()).await;
    words
}

async fn drain(rest: &mut (impl AsyncRead + Unpin)) -> io::Result<u64> {
    tokio::io::copy(rest, &mut tokio::io::sink()).await
}

async fn log_failure(service: Service, words: tokio::task::JoinHandle<Vec<u8>>) {
    let words = words.await.unwrap_or_default();
    tracing::info!(words = clean_line(&words, 500), "git {} ended with an error", service.subcommand());
}
