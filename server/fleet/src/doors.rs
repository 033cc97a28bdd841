//! Where a server takes calls of hosts: the handshake, and who calls. What is said over it is the caller's business.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::certificate::Bearer;

/// How long a handshake may take: no agent waits longer for a line.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long to wait when the system has no descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// A connection, and who is at its other end.
pub struct Call {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Where it comes from.
    pub from: IpAddr,
    /// Who calls; nobody: a machine that has yet to join.
    pub bearer: Option<Bearer>,
}

/// How many may call at once. Who has not shown a certificate yet, and who has none, takes no place of a host.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Handshakes; more wait in the system's queue.
    handshakes: usize,
    /// Connections of hosts; more are ended, and come again.
    hosts: usize,
    /// Connections of machines without a certificate; more are ended, and come again.
    strangers: usize,
    /// How long one of those may last: a machine that joins asks once and hears the answer.
    stranger: Duration,
}

const ROOM: Room =
    Room { handshakes: 1_024, hosts: 8_192, strangers: 1_024, stranger: Duration::from_secs(30) };

/// Takes calls until it is told to stop, each in a task of its own. One of a machine without a certificate is ended after
/// 30 s.
pub async fn take_calls<F, Taken>(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    stop: CancellationToken,
    take: F,
) where
    F: Fn(Call) -> Taken + Clone + Send + 'static,
    Taken: Future<Output = ()> + Send,
{
    take_within(ROOM, listener, config, stop, take).await;
}

async fn take_within<F, Taken>(
    room: Room,
    listener: TcpListener,
    config: Arc<ServerConfig>,
    stop: CancellationToken,
    take: F,
) where
    F: Fn(Call) -> Taken + Clone + Send + 'static,
    Taken: Future<Output = ()> + Send,
{
    let acceptor = TlsAcceptor::from(config);
    let [handshakes, hosts, strangers] =
        [room.handshakes, room.hosts, room.strangers].map(|size| Arc::new(Semaphore::new(size)));
    let accept = async {
        loop {
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, from)) => {
                    let (acceptor, take) = (acceptor.clone(), take.clone());
                    let (hosts, strangers) = (Arc::clone(&hosts), Arc::clone(&strangers));
                    tokio::spawn(async move {
                        let shaken = timeout(HANDSHAKE, shake(acceptor, stream, from.ip())).await;
                        drop(turn);
                        match shaken {
                            Ok(Ok(call)) if call.bearer.is_some() => match hosts.try_acquire() {
                                Ok(_place) => take(call).await,
                                Err(_) => warn!(%from, "there are too many connections of hosts"),
                            },
                            Ok(Ok(call)) => match strangers.try_acquire() {
                                Ok(_place) if timeout(room.stranger, take(call)).await.is_ok() => {}
                                Ok(_) => debug!(%from, "a call without a certificate took too long"),
                                Err(_) => debug!(%from, "there are too many calls without a certificate"),
                            },
                            Ok(Err(error)) => debug!(%error, %from, "a call was not taken"),
                            Err(_) => debug!(%from, "a handshake took too long"),
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "no call of a host can be taken");
                    sleep(BREATH).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept).await;
}

async fn shake(acceptor: TlsAcceptor, stream: TcpStream, from: IpAddr) -> std::io::Result<Call> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let bearer = shown.map(Bearer::read).transpose().map_err(std::io::Error::other)?;
    Ok(Call { stream, from, bearer })
}

#[cfg(test)]
mod tests;
