//! One thread of the router: accepts connections and serves them until it is told to stop.

use crate::clock;
use crate::network::Network;
use crate::options::{Limits, Timeouts};
use crate::pool::Pool;
use crate::probe::ProbeSecret;
use crate::request_id::RequestIds;
use crate::routes::Routes;
use crate::visitor::Visitor;
use crate::wall_clock::WallClock;
use arc_swap::ArcSwap;
use futures::FutureExt;
use http::HeaderValue;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How often unused connections to replicas are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long to wait when the system has no descriptor left for a new connection.
const BREATH: Duration = Duration::from_millis(50);

/// What all workers of a router share; nothing of it is written to per request.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) routes: Arc<ArcSwap<Routes>>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) probe_secret: ProbeSecret,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) port: u16,
    pub(crate) parting: bool,
    pub(crate) tls_port: u16,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) trusted: Arc<[Network]>,
}

/// Tells workers to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Serve.
    Serve,
    /// Finish what is being served until then.
    Finish(Instant),
}

/// How far a worker is with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is not.
    Serving,
    /// Connections end with the request they are serving, or with their next one.
    Stopping,
    /// Connections without a request are closed.
    Closing,
}

/// One thread's own things, and its handles to what is shared.
pub(crate) struct Worker {
    pub(crate) routes: Arc<ArcSwap<Routes>>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) probe_secret: ProbeSecret,
    pub(crate) port: HeaderValue,
    pub(crate) tls_port: HeaderValue,
    pub(crate) trusted: Arc<[Network]>,
    pub(crate) pool: Rc<Pool>,
    /// What the worker was last told.
    pub(crate) orders: watch::Receiver<Order>,
    /// Wakes each connection when the stage becomes `Closing`.
    pub(crate) closing: Notify,
    emptied: Notify,
    stage: Cell<Stage>,
    open: Cell<usize>,
    turn: Cell<usize>,
    ids: RefCell<RequestIds>,
    wall: RefCell<WallClock>,
}

impl Worker {
    fn new(shared: &Shared, orders: watch::Receiver<Order>) -> Self {
        Self {
            routes: Arc::clone(&shared.routes),
            timeouts: Arc::clone(&shared.timeouts),
            limits: Arc::clone(&shared.limits),
            probe_secret: shared.probe_secret.clone(),
            port: HeaderValue::from(shared.port),
            tls_port: HeaderValue::from(shared.tls_port),
            trusted: Arc::clone(&shared.trusted),
            pool: Rc::new(Pool::new(&shared.limits)),
            orders,
            closing: Notify::new(),
            emptied: Notify::new(),
            stage: Cell::new(if shared.parting { Stage::Stopping } else { Stage::Serving }),
            open: Cell::new(0),
            turn: Cell::new(0),
            ids: RefCell::new(RequestIds::new()),
            wall: RefCell::new(WallClock::new()),
        }
    }

    /// Returns how far the worker is with stopping.
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Returns whether connections should end with their present request.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stage.get() != Stage::Serving
    }

    /// Returns a number that goes up by one each time.
    pub(crate) fn turn(&self) -> usize {
        self.turn.replace(self.turn.get().wrapping_add(1))
    }

    /// Returns bytes to mask a frame with.
    pub(crate) fn mask(&self) -> [u8; 4] {
        self.ids.borrow_mut().mask()
    }

    /// Returns a key to ask for a `WebSocket` with.
    pub(crate) fn websocket_key(&self) -> HeaderValue {
        self.ids.borrow_mut().websocket_key()
    }

    /// Returns a new request id.
    pub(crate) fn new_request_id(&self) -> HeaderValue {
        self.ids.borrow_mut().next()
    }

    /// Returns the present moment in milliseconds since 1970.
    pub(crate) fn wall_clock(&self) -> HeaderValue {
        self.wall.borrow_mut().read(clock::now())
    }

    /// Counts a connection.
    pub(crate) fn opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    /// Counts a connection out.
    pub(crate) fn closed(&self) {
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.emptied.notify_one();
        }
    }
}

/// Runs one worker on the calling thread until `orders` tell it to finish, or nobody is left to give orders.
pub(crate) fn run(
    shared: &Shared,
    clear: Option<std::net::TcpListener>,
    secure: Option<std::net::TcpListener>,
    orders: watch::Receiver<Order>,
) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(async move {
        let clear = clear.map(TcpListener::from_std).transpose()?.map(|listener| (listener, None));
        let secure = secure.map(TcpListener::from_std).transpose()?;
        let secure = secure.map(|listener| (listener, shared.tls.clone()));
        let worker = Rc::new(Worker::new(shared, orders.clone()));
        tokio::task::spawn_local(sweep(Rc::clone(&worker)));
        let entrances = clear.into_iter().chain(secure);
        let accepting = entrances.map(|(listener, tls)| {
            let entrance = Entrance { listener, tls };
            accept(shared, &worker, entrance, orders.clone())
        });
        let ends = futures::future::join_all(accepting).await;
        let deadline = ends.into_iter().max().unwrap_or_else(Instant::now);
        drain(&worker, deadline).await;
        Ok(())
    })
}

/// A listening socket, with what it takes to shake hands if it is for TLS.
struct Entrance {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// Accepts connections until it is time to finish, and returns until when.
async fn accept(
    shared: &Shared,
    worker: &Rc<Worker>,
    entrance: Entrance,
    mut orders: watch::Receiver<Order>,
) -> Instant {
    let deadline = loop {
        let accepted = async {
            let permit = Arc::clone(&shared.connections).acquire_owned().await;
            (entrance.listener.accept().await, permit)
        };
        tokio::select! {
            (accepted, permit) = accepted => match (accepted, permit) {
                (Ok((stream, peer)), Ok(permit)) => welcome(worker, &entrance, (stream, peer), permit),
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
                (_, Err(_)) => break Instant::now(),
            },
            changed = orders.changed() => match (changed, *orders.borrow()) {
                (Ok(()), Order::Serve) => {}
                (Ok(()), Order::Finish(deadline)) => break deadline,
                (Err(_), _) => break Instant::now(),
            },
        }
    };
    worker.stage.set(Stage::Stopping);
    // What the system accepted for us already must not be reset.
    while let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned()
        && let Some(Ok((stream, peer))) = entrance.listener.accept().now_or_never()
    {
        welcome(worker, &entrance, (stream, peer), permit);
    }
    deadline
}

fn welcome(
    worker: &Rc<Worker>,
    entrance: &Entrance,
    (stream, peer): (TcpStream, SocketAddr),
    permit: tokio::sync::OwnedSemaphorePermit,
) {
    // Without it answers are only later, so its failure is none of the visitor's.
    let _ = stream.set_nodelay(true);
    let visitor = Visitor::new(Rc::clone(worker), peer, permit);
    match entrance.tls.clone() {
        None => drop(tokio::task::spawn_local(visitor.serve(stream))),
        Some(tls) => drop(tokio::task::spawn_local(visitor.serve_tls(stream, tls))),
    }
}

/// Lets connections end until `deadline`.
async fn drain(worker: &Worker, deadline: Instant) {
    let linger = (Instant::now() + worker.timeouts.linger).min(deadline);
    emptied(worker, linger).await;
    worker.stage.set(Stage::Closing);
    worker.closing.notify_waiters();
    emptied(worker, deadline).await;
}

/// Waits until no connection is open, but not beyond `deadline`.
async fn emptied(worker: &Worker, deadline: Instant) {
    while worker.open.get() > 0 {
        if tokio::time::timeout_at(deadline, worker.emptied.notified()).await.is_err() {
            return;
        }
    }
}

async fn sweep(worker: Rc<Worker>) {
    loop {
        tokio::time::sleep(SWEEP.min(worker.timeouts.pooled)).await;
        clock::tick();
        worker.pool.sweep(worker.timeouts.pooled, &worker.routes.load());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::Reply;
    use crate::visitor::drive;
    use crate::watch::Watch;
    use http::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use std::convert::Infallible;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn worker() -> Worker {
        let shared = Shared {
            routes: Arc::default(),
            timeouts: Arc::default(),
            limits: Arc::default(),
            probe_secret: ProbeSecret::random(),
            connections: Arc::new(Semaphore::new(1)),
            port: 80,
            parting: false,
            tls_port: 443,
            tls: None,
            trusted: Arc::default(),
        };
        Worker::new(&shared, watch::channel(Order::Serve).1)
    }

    #[tokio::test]
    async fn a_request_that_has_arrived_is_answered_before_its_connection_is_closed() {
        let (worker, watch) = (worker(), Watch::new(Arc::default()));
        let (mut visitor, stream) = tokio::io::duplex(4_096);
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Reply::Own(None))));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let asks = async {
            let mut answer = [0; 4_096];
            visitor.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let read = visitor.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
            // Both happen before the connection is looked at again.
            visitor.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            worker.stage.set(Stage::Closing);
            worker.closing.notify_waiters();
            let mut answer = String::new();
            visitor.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
        };
        tokio::join!(asks, drive(Box::pin(connection.with_upgrades()), &worker, &watch));
    }
}
