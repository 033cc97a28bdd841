//! The way in to the replicas of a host: TLS on one port, for servers of the platform only.
//!
//! The replica is connected to before the handshake is finished, so that one that refuses is to the router a connection
//! that did not come about. After that bytes are copied, nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::id::ReplicaId;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::Acceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::names::replica_of;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a replica may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: usize = 16_384;

/// How long to wait when the system has no descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// How many bytes are copied at a time in each direction.
const PIECE: usize = 16 << 10;

/// Knows where replicas of this host listen.
pub trait Places: Send + Sync + 'static {
    /// Returns where a replica listens, if it is here.
    fn place(&self, replica: ReplicaId) -> Option<SocketAddr>;
}

/// The entry of a host.
pub struct Entry {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    places: Arc<dyn Places>,
}

impl Entry {
    /// Makes the entry that listens there.
    #[must_use]
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>, places: Arc<dyn Places>) -> Self {
        Self { listener, config, places }
    }

    /// Lets servers in until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let (config, places) = (Arc::clone(&self.config), Arc::clone(&self.places));
                        let stop = stop.clone();
                        tokio::spawn(async move {
                            stop.run_until_cancelled(pass(stream, config, places)).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        warn!(%error, "the entry takes no connection");
                        sleep(BREATH).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(accept).await;
    }
}

async fn pass(stream: TcpStream, config: Arc<ServerConfig>, places: Arc<dyn Places>) {
    let opened = timeout(HANDSHAKE, open(stream, config, places)).await;
    match opened {
        Ok(Ok((mut visitor, mut replica))) => {
            let _ = copy_bidirectional_with_sizes(&mut visitor, &mut replica, PIECE, PIECE).await;
        }
        Ok(Err(error)) => debug!(%error, "the entry let nobody in"),
        Err(_) => debug!("a handshake with the entry took too long"),
    }
}

async fn open(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    places: Arc<dyn Places>,
) -> std::io::Result<(tokio_rustls::server::TlsStream<TcpStream>, TcpStream)> {
    stream.set_nodelay(true)?;
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let wanted = hello.client_hello().server_name().and_then(replica_of);
    let place = wanted.and_then(|replica| places.place(replica));
    let place = place.ok_or_else(|| std::io::Error::other("no such replica is here"))?;
    let replica = timeout(CONNECT, TcpStream::connect(place)).await??;
    replica.set_nodelay(true)?;
    Ok((hello.into_stream(config).await?, replica))
}
