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

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: usize = 8_192;

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

/// Takes calls until it is told to stop, each in a task of its own.
pub async fn take_calls<F, Taken>(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    stop: CancellationToken,
    take: F,
) where
    F: Fn(Call) -> Taken + Clone + Send + 'static,
    Taken: Future<Output = ()> + Send,
{
    let acceptor = TlsAcceptor::from(config);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, from)) => {
                    let (acceptor, take) = (acceptor.clone(), take.clone());
                    tokio::spawn(async move {
                        match timeout(HANDSHAKE, shake(acceptor, stream, from.ip())).await {
                            Ok(Ok(call)) => take(call).await,
                            Ok(Err(error)) => debug!(%error, %from, "a call was not taken"),
                            Err(_) => debug!(%from, "a handshake took too long"),
                        }
                        drop(place);
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
