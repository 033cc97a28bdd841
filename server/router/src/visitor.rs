//! One connection of a visitor: finds out what is spoken on it, serves its requests, and closes it when it takes too
//! long.

use crate::clock;
use crate::download::Reply;
use crate::handle::handle;
use crate::watch::{Alarm, Phase, Watch};
use crate::watched::Watched;
use crate::worker::{Stage, Worker};
use crate::{http2, opening};
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

/// What is known about a visitor's connection, or about one stream of it.
pub(crate) struct Visitor {
    /// The worker that serves it.
    pub(crate) worker: Rc<Worker>,
    /// The visitor's address, without port.
    pub(crate) address: HeaderValue,
    /// `http` or `https`.
    pub(crate) protocol: &'static str,
    /// Whether it is a proxy whose word about where requests come from is taken.
    pub(crate) trusted: bool,
    /// What is happening on it.
    pub(crate) watch: Arc<Watch>,
    held: Held,
}

/// What lasts as long as a connection or a stream.
enum Held {
    Permit { _permit: OwnedSemaphorePermit },
    Connection { _connection: Rc<Visitor> },
}

impl Visitor {
    /// Counts one more connection on `worker` until it is dropped.
    pub(crate) fn new(worker: Rc<Worker>, peer: SocketAddr, permit: OwnedSemaphorePermit) -> Self {
        worker.opened();
        let address = HeaderValue::from_str(&peer.ip().to_canonical().to_string())
            .expect("an address consists of visible characters");
        let trusted = worker.trusted.iter().any(|network| network.contains(peer.ip()));
        let watch = Arc::new(Watch::new(Arc::clone(&worker.timeouts)));
        Self { worker, address, protocol: "http", trusted, watch, held: Held::Permit { _permit: permit } }
    }

    /// Counts one more stream on a connection.
    pub(crate) fn stream(connection: &Rc<Self>) -> Self {
        connection.worker.opened();
        Self {
            worker: Rc::clone(&connection.worker),
            address: connection.address.clone(),
            protocol: connection.protocol,
            trusted: connection.trusted,
            watch: Arc::new(Watch::new(Arc::clone(&connection.worker.timeouts))),
            held: Held::Connection { _connection: Rc::clone(connection) },
        }
    }

    /// Tells whether it is one of several streams of a connection.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.held, Held::Connection { .. })
    }

    /// Returns the port the visitor connected to.
    pub(crate) fn port(&self) -> &HeaderValue {
        if self.protocol == "https" { &self.worker.tls_port } else { &self.worker.port }
    }

    /// Serves a connection in the clear until it ends.
    pub(crate) async fn serve(self, mut stream: TcpStream) {
        let Some(begun) = opening::read(&mut stream, &self.worker, &self.watch).await else { return };
        let is_http2 = opening::is_preface(&begun);
        let stream = Watched::new(stream, Arc::clone(&self.watch), begun);
        if is_http2 {
            Box::pin(http2::serve(Rc::new(self), stream)).await;
        } else {
            self.serve_http1(stream).await;
        }
    }

    /// Shakes hands and serves what was agreed on until the connection ends.
    pub(crate) async fn serve_tls(mut self, stream: TcpStream, tls: TlsAcceptor) {
        self.protocol = "https";
        let handshake = tokio::time::timeout(self.worker.timeouts.header, tls.accept(stream));
        let Ok(Ok(stream)) = handshake.await else { return };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        self.watch.enter(Phase::Idle);
        let stream = Watched::new(stream, Arc::clone(&self.watch), Vec::new());
        if is_http2 {
            Box::pin(http2::serve(Rc::new(self), stream)).await;
        } else {
            self.serve_http1(stream).await;
        }
    }

    async fn serve_http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let visitor = Rc::new(self);
        let (worker, watch) = (Rc::clone(&visitor.worker), Arc::clone(&visitor.watch));
        let service = service_fn(move |request: Request<Incoming>| handle(Rc::clone(&visitor), request));
        let connection = http1::Builder::new()
            .max_header_size(worker.limits.header_bytes)
            // Time limits are the watch's, which also knows the time between requests.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        drive(Box::pin(connection), &worker, &watch).await;
    }
}

/// How long a request may take to end by itself whose time is over. The library does not ask it while earlier bytes wait for a
/// visitor who takes none.
const LAST_TURN: Duration = Duration::from_secs(1);

/// Serves `connection` until it ends, takes too long, or the worker closes it between requests.
///
/// It is boxed because a future has room for what it was given and for where it keeps it.
pub(crate) async fn drive<I, S>(
    mut connection: Pin<Box<UpgradeableConnection<I, S>>>,
    worker: &Worker,
    watch: &Watch,
) where
    I: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Reply, Error = Infallible>,
{
    let mut closing = pin!(worker.closing.notified());
    let (mut listening, mut told, mut alarm) = (false, false, Alarm::new());
    let mut last_turn: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let now = clock::tick();
        if !listening {
            listening = true;
            let _ = closing.as_mut().poll(cx);
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if worker.stage() == Stage::Closing && !told {
            told = true;
            // Only now: a request that has arrived is read first, or it would be lost with the connection.
            connection.as_mut().graceful_shutdown();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        if alarm.poll(cx, watch, now).is_pending() {
            last_turn = None;
            return Poll::Pending;
        }
        if matches!(watch.phase(), Phase::Upload | Phase::Wait) {
            // The request's own future ends it, with an answer.
            let last_turn = last_turn.get_or_insert_with(|| {
                cx.waker().wake_by_ref();
                Box::pin(sleep(LAST_TURN))
            });
            return last_turn.as_mut().poll(cx);
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
