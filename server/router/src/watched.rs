//! The bytes between a visitor and the router, of which the watch is told.

use crate::dry::Dry;
use crate::watch::Watch;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that tells the watch when bytes move.
pub(crate) struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
    /// What was read of the stream before, and is to be read again.
    begun: Vec<u8>,
    dry: Dry,
}

impl<S> Watched<S> {
    /// Watches `stream`, of which `begun` was read already.
    pub(crate) fn new(stream: S, watch: Arc<Watch>, begun: Vec<u8>) -> Self {
        Self { stream, watch, begun, dry: Dry::new() }
    }

    fn sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.watch.sent();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.begun.is_empty() {
            let fits = this.begun.len().min(buf.remaining());
            buf.put_slice(&this.begun[..fits]);
            this.begun = this.begun.split_off(fits);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = this.dry.poll(cx, |cx| Pin::new(&mut this.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            this.watch.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
