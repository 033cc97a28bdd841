//! One connection of a visitor: serves its requests one after another and closes it when it takes too long.

use crate::download::Reply;
use crate::handle::handle;
use crate::watch::{Alarm, Phase, Watch};
use crate::worker::{Stage, Worker};
use futures::FutureExt;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

/// What is known about a visitor's connection.
pub(crate) struct Visitor {
    /// The worker that serves it.
    pub(crate) worker: Rc<Worker>,
    /// The visitor's address, without port.
    pub(crate) address: HeaderValue,
    /// `http` or `https`.
    pub(crate) protocol: &'static str,
    /// What is happening on it.
    pub(crate) watch: Arc<Watch>,
    _permit: OwnedSemaphorePermit,
}

impl Visitor {
    /// Counts one more connection on `worker` until it is dropped.
    pub(crate) fn new(worker: Rc<Worker>, peer: SocketAddr, permit: OwnedSemaphorePermit) -> Self {
        worker.opened();
        let address = HeaderValue::from_str(&peer.ip().to_canonical().to_string())
            .expect("an address consists of visible characters");
        let watch = Arc::new(Watch::new(Arc::clone(&worker.timeouts)));
        Self { worker, address, protocol: "http", watch, _permit: permit }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let visitor = Rc::new(self);
        let (worker, watch) = (Rc::clone(&visitor.worker), Arc::clone(&visitor.watch));
        let io = TokioIo::new(Watched { stream, watch: Arc::clone(&watch) });
        let service = service_fn(move |request: Request<Incoming>| {
            handle(Rc::clone(&visitor), request).map(Ok::<Response<Reply>, Infallible>)
        });
        let connection = http1::Builder::new()
            .max_header_size(worker.limits.header_bytes)
            // Time limits are the watch's, which also knows the time between requests.
            .header_read_timeout(None)
            .serve_connection(io, service)
            .with_upgrades();
        drive(connection, &worker, &watch).await;
    }
}

/// Serves `connection` until it ends, takes too long, or the worker closes it between requests.
async fn drive<I, S>(connection: UpgradeableConnection<I, S>, worker: &Worker, watch: &Watch)
where
    I: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Reply, Error = Infallible>,
{
    let mut connection = pin!(connection);
    let mut closing = pin!(worker.closing.notified());
    let (mut listening, mut told, mut alarm) = (false, false, Alarm::new());
    poll_fn(|cx| {
        if !listening {
            listening = true;
            let _ = closing.as_mut().poll(cx);
        }
        if worker.stage() == Stage::Closing && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        ready!(alarm.poll(cx, watch));
        if matches!(watch.phase(), Phase::Upload | Phase::Wait) {
            // The request's own future ends it, with an answer.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.worker.closed();
    }
}

/// A stream that tells the watch when bytes move.
struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    fn sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.watch.sent();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.received();
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
