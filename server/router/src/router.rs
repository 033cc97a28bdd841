//! Starts the router's threads and stops them.

use crate::certificates::Certificates;
use crate::listen;
use crate::network::Network;
use crate::options::{Listen, RouterOptions, Tls};
use crate::routes::Routes;
use crate::worker::{self, Order, Shared};
use arc_swap::ArcSwap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How often certificates are looked through.
const LOOK: Duration = Duration::from_secs(2);

/// The built-in router.
#[derive(Debug)]
pub struct Router;

/// Why a router did not start.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The address is taken, forbidden, or not this machine's.
    #[error("cannot listen on {address}: {cause}; is another server running there?")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A list of sockets has none in it.
    #[error("the router was given no socket to listen on")]
    NoSocket,
    /// The library of TLS lacks what it should have.
    #[error("the router cannot speak TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The system refused a thread or a descriptor.
    #[error("the router cannot start its workers: {0}")]
    Start(#[from] io::Error),
}

impl Router {
    /// Starts a router that follows `routes`; it serves until its handle is shut down or dropped.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the system refuses threads or descriptors.
    pub fn start(options: RouterOptions, routes: Arc<ArcSwap<Routes>>) -> Result<RouterHandle, RouterError> {
        let sockets = open(options.listen, options.workers)?;
        let local_addr = sockets.first().ok_or(RouterError::NoSocket)?.local_addr()?;
        let (tls_sockets, certificates) = match options.tls {
            Some(tls) => (open(tls.listen, options.workers)?, Some(tls.certificates)),
            None => (Vec::new(), None),
        };
        let read = certificates.clone().map(Certificates::read);
        let trusted: Arc<[Network]> = options.trusted.into();
        let tls_addr = tls_sockets.first().map(TcpListener::local_addr).transpose()?;
        let shared = Shared {
            routes,
            timeouts: Arc::new(options.timeouts),
            connections: Arc::new(Semaphore::new(options.limits.connections.min(Semaphore::MAX_PERMITS))),
            limits: Arc::new(options.limits),
            probe_secret: options.probe_secret,
            port: local_addr.port(),
            parting: options.parting,
            tls_port: tls_addr.map_or(0, |address| address.port()),
            tls: read.as_ref().map(|all| all.config()).transpose()?.map(TlsAcceptor::from),
            trusted: Arc::clone(&trusted),
        };
        let (orders, receiver) = watch::channel(Order::Serve);
        let count = options.workers.max(1).max(sockets.len()).max(tls_sockets.len());
        let clear = listen::deal(&sockets, count)?;
        let ended = work(&shared, clear, listen::deal(&tls_sockets, count)?, receiver)?;
        let _follow = read.map(follow).transpose()?;
        Ok(RouterHandle {
            local_addr,
            sockets,
            tls_addr,
            tls_sockets,
            certificates,
            trusted,
            _follow,
            orders,
            ended,
        })
    }
}

/// Starts one worker per socket and returns what ends with the last of them.
fn work(
    shared: &Shared,
    clear: Vec<TcpListener>,
    secure: Vec<TcpListener>,
    orders: watch::Receiver<Order>,
) -> io::Result<mpsc::Receiver<()>> {
    let (running, ended) = mpsc::channel(1);
    let mut secure = secure.into_iter();
    for (index, clear) in clear.into_iter().enumerate() {
        let (shared, orders, running) = (shared.clone(), orders.clone(), running.clone());
        let secure = secure.next();
        std::thread::Builder::new().name(format!("router-{index}")).spawn(move || {
            if let Err(error) = worker::run(&shared, Some(clear), secure, orders) {
                tracing::error!(%error, "a worker of the router ended");
            }
            drop(running);
        })?;
    }
    Ok(ended)
}

/// Returns the sockets to listen on.
fn open(listen: Listen, workers: usize) -> Result<Vec<TcpListener>, RouterError> {
    match listen {
        Listen::Address(address) => {
            listen::bind(address, workers.max(1)).map_err(|cause| RouterError::Listen { address, cause })
        }
        Listen::Sockets(sockets) => Ok(sockets),
    }
}

/// Looks for changed certificates until what is returned is dropped.
fn follow(certificates: Arc<Certificates>) -> io::Result<Sender<()>> {
    let (alive, gone) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("router-certs".to_owned()).spawn(move || {
        while gone.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            certificates.refresh();
        }
    })?;
    Ok(alive)
}

/// A running router; it stops at once when this is dropped.
#[derive(Debug)]
pub struct RouterHandle {
    local_addr: SocketAddr,
    sockets: Vec<TcpListener>,
    tls_addr: Option<SocketAddr>,
    tls_sockets: Vec<TcpListener>,
    certificates: Option<PathBuf>,
    trusted: Arc<[Network]>,
    /// Ends the thread that looks for changed certificates.
    _follow: Option<Sender<()>>,
    orders: watch::Sender<Order>,
    ended: mpsc::Receiver<()>,
}

impl RouterHandle {
    /// Returns the address the router listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns the listening sockets, for a successor to take over.
    pub fn sockets(&self) -> &[TcpListener] {
        &self.sockets
    }

    /// Returns the address where TLS is spoken, if it is.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Returns the listening sockets for TLS, for a successor to take over.
    pub fn tls_sockets(&self) -> &[TcpListener] {
        &self.tls_sockets
    }

    /// Returns what it takes for a successor to speak TLS where this one does.
    ///
    /// # Errors
    /// When the system refuses descriptors.
    pub fn tls(&self) -> io::Result<Option<Tls>> {
        let Some(certificates) = self.certificates.clone() else { return Ok(None) };
        let sockets = self.tls_sockets.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
        Ok(Some(Tls { listen: Listen::Sockets(sockets), certificates }))
    }

    /// Returns the proxies that are trusted.
    pub fn trusted(&self) -> &[Network] {
        &self.trusted
    }

    /// Stops accepting, finishes what is being served for up to `within`, and ends.
    pub async fn shutdown(mut self, within: Duration) {
        self.sockets.clear();
        self.tls_sockets.clear();
        self.orders.send_replace(Order::Finish(Instant::now() + within));
        // Nothing is ever sent: it ends when the last worker has.
        let _ = self.ended.recv().await;
    }
}
