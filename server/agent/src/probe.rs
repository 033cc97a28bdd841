//! Asks one replica once how it is: connects, sends a request, and says in words what was wrong.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::health::{HealthCheck, ProbeFailure};
use model::wording;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Most bytes of an error page that are read for its first words.
const BODY_BYTES: usize = 16 * 1024;
/// How long an error page may take after its head.
const BODY_TIME: Duration = Duration::from_secs(1);
/// Most characters of an error page that are shown.
const BODY_SHOWN: usize = 200;

/// How to ask one replica.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// Where it may listen, in the order of trying; all have the port it was given.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The Host header.
    pub(crate) host: String,
    /// Path and time limit.
    pub(crate) check: HealthCheck,
}

impl Probe {
    /// Returns the address that answered with a status below 500, or why none did.
    ///
    /// `is_its_own` is asked once something accepts, beside the request: whether that is the replica at all.
    pub(crate) async fn ask(
        &self,
        is_its_own: impl Future<Output = bool>,
    ) -> Result<SocketAddr, ProbeFailure> {
        let limit = Duration::from_secs(self.check.timeout_seconds.into());
        let asked = timeout(limit, async {
            let (stream, address) = self.connect().await?;
            let (response, own) = tokio::join!(self.get(stream), is_its_own);
            if !own {
                return Err(self.not_listening());
            }
            let response = response.map_err(|error| not_http(&error))?;
            let status = response.status().as_u16();
            if status < 500 {
                return Ok(address);
            }
            let body = first_words(response.into_body()).await;
            Err(ProbeFailure::Status { path: self.check.path.clone(), status, body })
        });
        let late = |_| {
            Err(ProbeFailure::NoAnswer { path: self.check.path.clone(), seconds: self.check.timeout_seconds })
        };
        asked.await.unwrap_or_else(late)
    }

    async fn connect(&self) -> Result<(TcpStream, SocketAddr), ProbeFailure> {
        for address in &self.addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok((stream, *address)),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => tracing::debug!(%error, "cannot connect to {address}"),
            }
        }
        Err(self.not_listening())
    }

    fn not_listening(&self) -> ProbeFailure {
        let port = self.addresses.first().map_or(0, SocketAddr::port);
        ProbeFailure::NotListening { port, elsewhere: Vec::new() }
    }

    /// Sends the request on a connection of its own: one that stays open would hold up a server that serves one
    /// connection at a time.
    async fn get(&self, stream: TcpStream) -> hyper::Result<Response<Incoming>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends by itself when the answer has been read or dropped.
        tokio::spawn(connection);
        let request = Request::get(self.check.path.as_str())
            .header(HOST, &self.host)
            .header(USER_AGENT, "paas-health")
            .header(CONNECTION, "close")
            .header("x-forwarded-proto", "http")
            .body(Empty::<Bytes>::new());
        let request = request.unwrap_or_else(|error| {
            // A path that is no path was let through somewhere: ask for the root instead of failing for ever.
            tracing::warn!(%error, "cannot ask for {:?}", self.check.path);
            Request::new(Empty::new())
        });
        sender.send_request(request).await
    }
}

fn not_http(error: &hyper::Error) -> ProbeFailure {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    ProbeFailure::NotHttp { detail: wording::plain(&detail, BODY_SHOWN) }
}

async fn first_words(mut body: Incoming) -> String {
    let mut page = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            page.extend(frame.into_data().unwrap_or_default());
            if page.len() >= BODY_BYTES {
                break;
            }
        }
    };
    // What has come by then is enough.
    let _ = timeout(BODY_TIME, read).await;
    words(&String::from_utf8_lossy(&page))
}

/// Returns the beginning of a page without markup, in one line.
fn words(page: &str) -> String {
    let mut text = String::new();
    for (at, piece) in page.split('<').enumerate() {
        // What stands before the first `<` is text; every other piece begins inside a tag.
        let shown = if at == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) };
        text.push_str(shown);
        text.push(' ');
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    wording::plain(&line, BODY_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_page_is_cut_to_its_words() {
        let page = "<!doctype html>\n<title>500 Internal\nServer Error</title><p>No\u{1b}[31m \tluck";
        assert_eq!(words(page), "500 Internal Server Error No[31m luck");
        assert_eq!(words(&"x".repeat(1000)).len(), BODY_SHOWN);
        assert_eq!(words("plain text"), "plain text");
    }
}
