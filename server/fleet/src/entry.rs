//! The way in to the replicas of a host: TLS on one port, for servers of the platform only.
//!
//! The replica is connected to before the handshake is finished, so that one that refuses is to the router a connection
//! that did not come about. After that bytes are copied, nothing else. Who is told to stop lets nobody in any more, and
//! waits for the answers that are under way.

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
use tokio_util::io::InspectReader;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::names::replica_of;
use crate::under_way::UnderWay;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a replica may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: u32 = 16_384;

/// How long what is under way may take when the entry is to stop; as long as a replica's request usually may.
const LAST: Duration = Duration::from_secs(30);

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

    /// Lets servers in until it is told to stop, and then waits for what is under way, for up to 30 s.
    pub async fn run(self, stop: CancellationToken) {
        self.run_within(LAST, stop).await;
    }

    async fn run_within(self, last: Duration, stop: CancellationToken) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS as usize));
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let (config, places) = (Arc::clone(&self.config), Arc::clone(&self.places));
                        let stop = stop.clone();
                        tokio::spawn(async move {
                            pass(stream, config, places, &stop).await;
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
        // Who comes now is refused, and goes to another replica.
        drop(self.listener);
        let _ = timeout(last, connections.acquire_many(CONNECTIONS)).await;
    }
}

async fn pass(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    places: Arc<dyn Places>,
    stop: &CancellationToken,
) {
    let opened = timeout(HANDSHAKE, open(stream, config, places)).await;
    match opened {
        Ok(Ok((visitor, replica))) => {
            let under_way = UnderWay::new();
            let asks = |bytes: &[u8]| {
                if !bytes.is_empty() {
                    under_way.asked()
                }
            };
            let answers = |bytes: &[u8]| {
                if !bytes.is_empty() {
                    under_way.answered()
                }
            };
            let (mut visitor, mut replica) =
                (InspectReader::new(visitor, asks), InspectReader::new(replica, answers));
            let copied = copy_bidirectional_with_sizes(&mut visitor, &mut replica, PIECE, PIECE);
            let over = async {
                stop.cancelled().await;
                under_way.over().await;
            };
            tokio::select! {
                _ = copied => {}
                () = over => {}
            }
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

#[cfg(test)]
mod tests;
