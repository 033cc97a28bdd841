//! The way in to a replica on another host: TLS to that host's entry, which is told by a name which replica is meant.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// How a replica is reached through the entry of its host.
#[derive(Clone)]
pub struct WayIn {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl WayIn {
    /// Makes the way in to the replica with this name, with what connections to its host have in common.
    #[must_use]
    pub fn new(connector: TlsConnector, name: ServerName<'static>) -> Self {
        Self { connector, name }
    }

    /// Shakes hands over `stream` within `limit`. A handshake that fails is a connection that was refused: the entry
    /// does not finish it when the replica takes none.
    pub(crate) async fn enter(&self, stream: TcpStream, limit: Duration) -> io::Result<TlsStream<TcpStream>> {
        match timeout(limit, self.connector.connect(self.name.clone(), stream)).await {
            Ok(entered) => entered.map_err(|error| io::Error::new(io::ErrorKind::ConnectionRefused, error)),
            Err(late) => Err(late.into()),
        }
    }
}

impl fmt::Debug for WayIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WayIn").field(&self.name).finish()
    }
}
