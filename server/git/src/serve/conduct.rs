//! Carries bytes between a request and a git process until one of them ends, a bound is reached or the client leaves;
//! then ends the process.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ServeLimits;
use crate::body::Body;
use crate::process::Group;

/// Bytes read from git at once.
const CHUNK: usize = 64 << 10;
/// After an answer, how much and how long a client may go on sending before it is cut off.
const DISCARD_BYTES: u64 = 4 << 30;
const DISCARD_TIME: Duration = Duration::from_secs(120);

type Chunks = mpsc::Sender<io::Result<Bytes>>;

/// Returns when the process and all it started are gone.
pub(super) async fn conduct(mut group: Group, body: &mut Body, limits: &ServeLimits, out: &Chunks) {
    let child = (group.child.stdin.take(), group.child.stdout.take());
    let (Some(stdin), Some(stdout)) = child else { return group.terminate().await };
    let ended = tokio::select! {
        // Without input, or somebody to write to, git ends on its own.
        ((), ended) = async { tokio::join!(carry(body, stdin, stdout, out), group.finish()) } => Some(ended),
        () = out.closed() => None,
        () = tokio::time::sleep(limits.total) => None,
    };
    match ended {
        Some(Ok(())) => (),
        Some(Err(words)) => tracing::info!(words, "git upload-pack ended with an error"),
        None => group.terminate().await,
    }
}

/// Reads on where git did not, also when it ended on its own: closing on a client that still sends would take the
/// answer from it.
pub(crate) async fn discard(body: &mut Body, out: &Chunks) {
    tokio::select! {
        () = body.discard(DISCARD_BYTES, Instant::now() + DISCARD_TIME) => (),
        () = out.closed() => (),
    }
}

async fn carry(body: &mut Body, stdin: ChildStdin, stdout: ChildStdout, out: &Chunks) {
    let mut forwarding = std::pin::pin!(forward(stdout, out));
    tokio::select! {
        () = feed(body, stdin) => forwarding.await,
        () = &mut forwarding => (),
    }
}

/// Gives git the body as far as there is one and git reads it.
async fn feed(body: &mut Body, mut stdin: ChildStdin) {
    while let Ok(Some(chunk)) = body.next().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

async fn forward(mut stdout: ChildStdout, out: &Chunks) {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        match stdout.read_buf(&mut buffer).await {
            Ok(1..) if out.send(Ok(buffer.freeze())).await.is_ok() => (),
            _ => return,
        }
    }
}
