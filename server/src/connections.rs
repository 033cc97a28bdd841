//! The connections of the API and of git: how many there may be, how long a client may take to say what it wants, and
//! how they end when the server does. What is answered is not decided here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use router::Network;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How long to wait when the system has no descriptor left for a new connection.
const BREATH: Duration = Duration::from_millis(50);

/// How often a client of HTTP/2 that says nothing is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);

/// Requests of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 100;

/// What one client is told that has too many connections.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// How much there may be of each thing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the system's queue; 4,096.
    pub connections: usize,
    /// Connections of one address at a time; 1,024, since a proxy in front of the server is one address.
    pub per_client: usize,
    /// For the head of a request, and for the next one on the same connection to begin; 30 s.
    pub head: Duration,
    /// Bytes of the head of a request; 64 KiB.
    pub head_bytes: usize,
    /// Proxies whose word about where a request comes from is taken; none.
    pub trusted: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            per_client: 1_024,
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            trusted: Vec::new(),
        }
    }
}

/// Serves connections until it is told to stop, then lets requests under way finish for as long as it is polled.
pub async fn serve(listener: TcpListener, service: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let clients = Clients::default();
    let tracker = TaskTracker::new();
    let builder = Arc::new(builder(&limits));
    let trusted: Arc<[Network]> = limits.trusted.into();
    let accept = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => match clients.enter(peer.ip(), limits.per_client) {
                    Some(client) => {
                        let trusted = trusted.clone();
                        let connection = Connection { peer, trusted, head: limits.head, stop: stop.clone() };
                        let served =
                            connection.serve(stream, service.clone(), builder.clone(), (place, client));
                        tracker.spawn(served);
                    }
                    None => {
                        // One that does not even take this in is not waited for.
                        let _ = stream.try_write(TOO_MANY);
                    }
                },
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept).await;
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes.max(8_192))
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

struct Connection {
    peer: SocketAddr,
    trusted: Arc<[Network]>,
    head: Duration,
    stop: CancellationToken,
}

impl Connection {
    async fn serve(
        self,
        stream: TcpStream,
        service: Router,
        builder: Arc<Builder<TokioExecutor>>,
        _place: (OwnedSemaphorePermit, Client),
    ) {
        // Without it answers are only later.
        let _ = stream.set_nodelay(true);
        let asked = Arc::new(AtomicBool::new(false));
        let (peer, trusted, began) = (self.peer, self.trusted, asked.clone());
        let service = TowerToHyperService::new(service);
        let service = service_fn(move |request: Request<Incoming>| {
            began.store(true, Ordering::Relaxed);
            let answered = service.call(prepared(request, peer, &trusted));
            async move { Ok::<Response, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // Which version of HTTP a client speaks is read without any time limit.
        let silent = async {
            tokio::time::sleep(self.head).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = silent => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(error = format!("{error:#}"), %peer, "a connection broke");
        }
    }
}

/// Says who asks, and names the host where HTTP/2 does (RFC 9113, 8.3.1) where HTTP/1 has it.
fn prepared(request: Request<Incoming>, peer: SocketAddr, trusted: &[Network]) -> Request<Body> {
    let mut request = request.map(Body::new);
    let client = client(request.headers(), peer, trusted);
    request.extensions_mut().insert(ConnectInfo(client));
    let authority = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(authority) = authority {
        request.headers_mut().entry(HOST).or_insert(authority);
    }
    request
}

/// Returns whom a request comes from: of one that a trusted proxy brings, the last address that it names, which is the one it has seen
/// itself. Those before it are hearsay.
fn client(headers: &HeaderMap, peer: SocketAddr, trusted: &[Network]) -> SocketAddr {
    if !trusted.iter().any(|network| network.contains(peer.ip())) {
        return peer;
    }
    let named = headers.get_all("x-forwarded-for").iter().next_back();
    let last = named.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.map_or(peer, |address: IpAddr| SocketAddr::new(address, peer.port()))
}

/// How many connections each client has.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of a client, counted until this is dropped.
struct Client {
    clients: Clients,
    address: IpAddr,
}

impl Clients {
    fn enter(&self, address: IpAddr, limit: usize) -> Option<Client> {
        let address = address.to_canonical();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Client { clients: self.clone(), address })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut counts = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn start(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let service = Router::new().route("/", axum::routing::get(async || "here"));
        (address, stop.clone(), tokio::spawn(serve(listener, service, limits, stop)))
    }

    async fn said(address: SocketAddr, words: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn who_does_not_say_what_it_wants_is_let_go_in_whatever_way_it_dawdles() {
        let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
        let (address, _stop, _server) = start(limits).await;
        for words in [&b""[..], b"G", b"PRI * HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "] {
            let answer = said(address, words).await;
            assert!(!answer.contains("here"), "{answer}");
        }
        let kept = said(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(kept.ends_with("here"), "{kept}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let (address, _stop, _server) = start(Limits { head_bytes: 8_192, ..Limits::default() }).await;
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        let answer = said(address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    }

    #[tokio::test]
    async fn one_client_cannot_take_all_connections() {
        let (address, _stop, _server) = start(Limits { per_client: 2, ..Limits::default() }).await;
        let held = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let answer = said(address, b"").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        drop(held);
    }

    #[test]
    fn a_trusted_proxy_says_who_comes_and_nobody_else_does() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.2, 203.0.113.7"));
        let from = |peer: &str| client(&headers, peer.parse().unwrap(), &trusted).to_string();
        assert_eq!(from("10.1.2.3:77"), "203.0.113.7:77");
        assert_eq!(from("192.0.2.1:77"), "192.0.2.1:77");
        headers.append("x-forwarded-for", HeaderValue::from_static("nobody"));
        assert_eq!(client(&headers, "10.1.2.3:77".parse().unwrap(), &trusted).to_string(), "10.1.2.3:77");
    }

    #[tokio::test]
    async fn told_to_stop_it_ends_although_a_client_keeps_its_connection() {
        let (address, stop, server) = start(Limits::default()).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut begin = [0; 8];
        idle.read_exact(&mut begin).await.unwrap();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), server).await.unwrap().unwrap();
    }
}
