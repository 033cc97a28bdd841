//! What a git process answers, as a stream of bytes. Dropping it ends the process.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The answer of a running `git`; the stream ends when the process has.
pub struct Reply {
    pub(crate) chunks: mpsc::Receiver<io::Result<Bytes>>,
    pub(crate) ended: CancellationToken,
}

impl Reply {
    /// Returns a token that is cancelled once the process and all it started are gone, however that came about: from
    /// then on it moves no reference any more.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Stream for Reply {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(context)
    }
}
