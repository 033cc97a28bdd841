//! The bytes between the router and a replica; notes whether the replica has said anything, and what it was told.

use crate::dry::Dry;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes the heads of most requests take; more are not kept longer than needed.
const USUAL: usize = 2_048;

/// What was said over a connection since the last request began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Talk(Arc<Said>);

#[derive(Debug, Default)]
struct Said {
    heard: AtomicBool,
    keeps: AtomicBool,
    told: Mutex<Vec<u8>>,
}

impl Talk {
    /// Begins anew, and keeps what the replica is told if `keeps`.
    pub(crate) fn begin(&self, keeps: bool) {
        self.0.heard.store(false, Relaxed);
        self.0.keeps.store(keeps, Relaxed);
        if keeps {
            let mut told = self.0.told();
            told.clear();
            told.shrink_to(USUAL);
        }
    }

    /// Returns what the replica was told, if it was kept and the replica has said nothing.
    pub(crate) fn unanswered(&self) -> Option<Vec<u8>> {
        let kept = self.0.keeps.load(Relaxed) && !self.0.heard.load(Relaxed);
        kept.then(|| std::mem::take(&mut *self.0.told()))
    }
}

impl Said {
    fn told(&self) -> MutexGuard<'_, Vec<u8>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was written of `bufs`, and all of it when that failed: nobody will offer the rest again.
    fn tell(&self, bufs: &[IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        let mut left = match written {
            // Once there is an answer it is not sent again, and a tunnel may follow.
            _ if !self.keeps.load(Relaxed) || self.heard.load(Relaxed) => return,
            Poll::Pending => return,
            Poll::Ready(Ok(written)) => *written,
            Poll::Ready(Err(_)) => usize::MAX,
        };
        let mut told = self.told();
        for buf in bufs {
            let fits = buf.len().min(left);
            told.extend_from_slice(&buf[..fits]);
            left -= fits;
        }
    }
}

/// A stream to a replica.
pub(crate) struct Wire<S> {
    stream: S,
    said: Arc<Said>,
    dry: Dry,
}

impl<S> Wire<S> {
    /// Tells `talk` of what goes over `stream`.
    pub(crate) fn new(stream: S, talk: &Talk) -> Self {
        Self { stream, said: Arc::clone(&talk.0), dry: Dry::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = this.dry.poll(cx, |cx| Pin::new(&mut this.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            this.said.heard.store(true, Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.said.tell(&[IoSlice::new(buf)], &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.said.tell(bufs, &written);
        written
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(talk: &Talk, bytes: &[u8], written: Poll<io::Result<usize>>) {
        talk.0.tell(&[IoSlice::new(&bytes[..2]), IoSlice::new(&bytes[2..])], &written);
    }

    #[test]
    fn what_was_written_is_kept_and_what_failed_too() {
        let talk = Talk::default();
        talk.begin(true);
        tell(&talk, b"GET /", Poll::Pending);
        tell(&talk, b"GET /", Poll::Ready(Ok(3)));
        tell(&talk, b" / HTTP", Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())));
        assert_eq!(talk.unanswered().unwrap(), b"GET / HTTP");
    }

    #[test]
    fn nothing_is_kept_unasked_nor_after_an_answer() {
        let talk = Talk::default();
        talk.begin(false);
        tell(&talk, b"POST", Poll::Ready(Ok(4)));
        assert!(talk.unanswered().is_none() && talk.0.told().is_empty());
        talk.begin(true);
        tell(&talk, b"GET", Poll::Ready(Ok(3)));
        talk.0.heard.store(true, Relaxed);
        tell(&talk, b"a tunnel", Poll::Ready(Ok(8)));
        assert!(talk.unanswered().is_none() && *talk.0.told() == b"GET");
    }
}
