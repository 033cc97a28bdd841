//! What is answered to a request, as a stream of bytes. Dropping it ends what git still does for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

/// The answer to a request; it ends when all is said.
pub struct Reply {
    pub(crate) chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl Stream for Reply {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(context)
    }
}
