//! A host's line to one server: HTTP over TLS, one request at a time, kept open between them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RANGE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::credentials::Credentials;
use crate::names::CONTROL;

/// How long it may take until a line is there.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take beyond what was asked to be held.
const ANSWER: Duration = Duration::from_secs(10);

/// How long it may take until the first byte of a slug comes: the server may have to bring it from a bucket.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// Most bytes of an answer: the wishes for a host with very many replicas.
const ANSWER_MAX: usize = 64 << 20;

/// Where a server is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl {
    host: String,
    port: u16,
}

impl ServerUrl {
    /// Returns the addresses that its name has now.
    ///
    /// # Errors
    /// It has none, or nobody says so within five seconds.
    pub async fn addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port));
        Ok(tokio::time::timeout(CONNECT, found).await??.collect())
    }
}

/// A text that is not where a server is called.
#[derive(Debug, thiserror::Error)]
#[error("a server is given as https://HOST:PORT, with the port of its --agent-listen")]
pub struct BadUrl;

impl FromStr for ServerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let rest = text.trim().strip_prefix("https://").ok_or(BadUrl)?;
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or(BadUrl)?;
        let port = port.parse().map_err(|_| BadUrl)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '@', '?']) {
            return Err(BadUrl);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        text.parse()
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "https://[{}]:{}", self.host, self.port),
            false => write!(f, "https://{}:{}", self.host, self.port),
        }
    }
}

/// Why a server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It said no.
    #[error("the server refuses: {1} ({0})")]
    Refused(StatusCode, String),
    /// It was not reached, or broke off.
    #[error("the server is not reached: {0}")]
    Unreached(String),
}

impl LinkError {
    fn unreached(error: impl fmt::Display) -> Self {
        Self::Unreached(error.to_string())
    }

    /// Tells whether this host was removed. One that the server never heard of is refused otherwise.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::FORBIDDEN, _))
    }
}

/// A line to one server.
pub struct Link {
    server: ServerUrl,
    config: Arc<ClientConfig>,
    /// What is shown when it is opened.
    credentials: Arc<Credentials>,
    open: Mutex<Option<Opened>>,
}

/// A line that is open, and the certificate that was shown then: the server goes by that one until another is opened,
/// also when it has expired and there is a fresh one.
struct Opened {
    sender: SendRequest<Full<Bytes>>,
    shown: Option<CertificateDer<'static>>,
}

impl Link {
    /// Makes a line, which is opened with the first request; `config` shows the credentials.
    #[must_use]
    pub fn new(server: ServerUrl, config: Arc<ClientConfig>, credentials: Arc<Credentials>) -> Self {
        Self { server, config, credentials, open: Mutex::default() }
    }

    /// Returns where the server is called.
    #[must_use]
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Says something and returns the answer, which may be held for so long.
    ///
    /// # Errors
    /// The server refuses, or is not reached.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &impl Serialize,
        hold: Duration,
    ) -> Result<T, LinkError> {
        let body = serde_json::to_vec(what).map_err(LinkError::unreached)?;
        self.send(path, "application/json", body.into(), hold).await
    }

    /// Sends bytes and returns the answer.
    ///
    /// # Errors
    /// The server refuses, or is not reached.
    pub async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        content: &str,
        body: Bytes,
        hold: Duration,
    ) -> Result<T, LinkError> {
        let request = self.request("POST", path).header(CONTENT_TYPE, content).body(Full::new(body));
        let answered = timeout(ANSWER + hold, async {
            let response = self.roundtrip(request.map_err(LinkError::unreached)?).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
            Ok((status, body.map_err(LinkError::unreached)?.to_bytes()))
        });
        let (status, body) =
            answered.await.map_err(|_| LinkError::unreached("it did not answer in time"))??;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(LinkError::unreached)
    }

    /// Fetches something from a place on. Returns where it begins and its whole length, and the bytes as they come.
    ///
    /// # Errors
    /// The server refuses, or is not reached.
    pub async fn fetch(&self, path: &str, from: u64) -> Result<Response<Incoming>, LinkError> {
        let request = self.request("GET", path).header(RANGE, format!("bytes={from}-"));
        let request = request.body(Full::default()).map_err(LinkError::unreached)?;
        let fetched = timeout(CONNECT + FIRST_BYTE, async {
            // A line of its own: it is busy for as long as the bytes come.
            let Opened { mut sender, .. } = self.connect().await?;
            sender.send_request(request).await.map_err(LinkError::unreached)
        });
        let response = fetched.await.map_err(|_| LinkError::unreached("it did not answer in time"))??;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = timeout(ANSWER, Limited::new(response.into_body(), 64 << 10).collect()).await;
        let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
        Err(refusal(status, &body.unwrap_or_default()))
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header(HOST, CONTROL)
    }

    async fn roundtrip(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, LinkError> {
        let mut open = self.open.lock().await;
        // Taken out: a request that is given up must not leave half an answer to the next one.
        let usable = match open.take() {
            Some(mut opened) if opened.shown == self.credentials.certificate() => {
                opened.sender.ready().await.is_ok().then_some(opened)
            }
            _ => None,
        };
        let mut opened = match usable {
            Some(opened) => opened,
            None => self.connect().await?,
        };
        let response = opened.sender.send_request(request).await.map_err(LinkError::unreached)?;
        *open = Some(opened);
        Ok(response)
    }

    async fn connect(&self) -> Result<Opened, LinkError> {
        let shown = self.credentials.certificate();
        let connected = timeout(CONNECT, async {
            let stream = TcpStream::connect((self.server.host.as_str(), self.server.port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(CONTROL).map_err(std::io::Error::other)?;
            let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
            http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)
        });
        let connected = connected.await.map_err(|_| LinkError::unreached("no connection in time"))?;
        let (sender, connection) = connected.map_err(LinkError::unreached)?;
        // Its errors reach the request it was serving.
        tokio::spawn(connection);
        Ok(Opened { sender, shown })
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> LinkError {
    let said = serde_json::from_slice::<serde_json::Value>(body).ok();
    let sentence = said.as_ref().and_then(|said| said.get("message")?.as_str());
    LinkError::Refused(status, sentence.unwrap_or("without a reason").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_at_a_host_and_a_port() {
        let read = |text: &str| text.parse::<ServerUrl>().map(|url| url.to_string()).ok();
        assert_eq!(read("https://10.0.0.1:5001/").as_deref(), Some("https://10.0.0.1:5001"));
        assert_eq!(read("https://[::1]:5001").as_deref(), Some("https://[::1]:5001"));
        for bad in ["http://a:1", "https://a", "https://:1", "https://a:b", "a:1", "https://a/b:1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
