//! Starts the router's threads and stops them.

use crate::listen;
use crate::options::{Listen, RouterOptions};
use crate::routes::Routes;
use crate::worker::{self, Order, Shared};
use arc_swap::ArcSwap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

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
        let workers = options.workers.max(1);
        let sockets = match options.listen {
            Listen::Address(address) => {
                listen::bind(address, workers).map_err(|cause| RouterError::Listen { address, cause })?
            }
            Listen::Sockets(sockets) => sockets,
        };
        let local_addr = sockets.first().ok_or(RouterError::NoSocket)?.local_addr()?;
        let shared = Shared {
            routes,
            timeouts: Arc::new(options.timeouts),
            connections: Arc::new(Semaphore::new(options.limits.connections.min(Semaphore::MAX_PERMITS))),
            limits: Arc::new(options.limits),
            probe_secret: options.probe_secret,
            port: local_addr.port(),
            parting: options.parting,
        };
        let (orders, receiver) = watch::channel(Order::Serve);
        let (running, ended) = mpsc::channel(1);
        for (index, listener) in listen::deal(&sockets, workers)?.into_iter().enumerate() {
            let (shared, receiver, running) = (shared.clone(), receiver.clone(), running.clone());
            std::thread::Builder::new().name(format!("router-{index}")).spawn(move || {
                if let Err(error) = worker::run(&shared, listener, receiver) {
                    tracing::error!(%error, "a worker of the router ended");
                }
                drop(running);
            })?;
        }
        Ok(RouterHandle { local_addr, sockets, orders, ended })
    }
}

/// A running router; it stops at once when this is dropped.
#[derive(Debug)]
pub struct RouterHandle {
    local_addr: SocketAddr,
    sockets: Vec<TcpListener>,
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

    /// Stops accepting, finishes what is being served for up to `within`, and ends.
    pub async fn shutdown(mut self, within: Duration) {
        self.sockets.clear();
        self.orders.send_replace(Order::Finish(Instant::now() + within));
        // Nothing is ever sent: it ends when the last worker has.
        let _ = self.ended.recv().await;
    }
}
