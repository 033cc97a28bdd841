//! A router with real replicas behind real sockets, and a client that shows what is on the wire.
#![allow(dead_code, reason = "each test file uses a part of the stage")]

#[path = "../../../../testkit/address.rs"]
pub(crate) mod address;

use arc_swap::ArcSwap;
use router::{
    AppRoute, Backend, ProbeSecret, RequestLine, RequestLog, Router, RouterHandle, RouterOptions, Routes,
};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps the lines the router writes.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<RequestLine>>);

impl RequestLog for Lines {
    fn request(&self, line: RequestLine) {
        self.0.lock().unwrap().push(line);
    }
}

impl Lines {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Waits until there are `count` lines and returns the last as text.
    pub(crate) async fn nth(&self, count: usize) -> String {
        until(|| self.len() >= count).await;
        self.0.lock().unwrap()[count - 1].to_string()
    }
}

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "the condition did not come true in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) struct Stage {
    pub(crate) router: RouterHandle,
    pub(crate) routes: Arc<ArcSwap<Routes>>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) secret: ProbeSecret,
}

impl Stage {
    /// Starts a router with two workers that serves the host `app`.
    pub(crate) fn new(replicas: Vec<Arc<Backend>>) -> Self {
        Self::with(replicas, |_, _| {})
    }

    /// Starts a router after `adjust` has had a say.
    pub(crate) fn with(
        replicas: Vec<Arc<Backend>>,
        adjust: impl FnOnce(&mut RouterOptions, &mut AppRoute),
    ) -> Self {
        let lines = Arc::new(Lines::default());
        let secret = ProbeSecret::random();
        let mut options = RouterOptions::new("127.0.0.1:0".parse().unwrap(), secret.clone());
        options.workers = 2;
        let log: Arc<dyn RequestLog> = Arc::<Lines>::clone(&lines);
        let mut app = AppRoute::new("app", log, replicas);
        adjust(&mut options, &mut app);
        let table = Routes::new([("app".to_owned(), Arc::new(app))]);
        let routes = Arc::new(ArcSwap::from_pointee(table));
        let router = Router::start(options, Arc::clone(&routes)).unwrap();
        Self { router, routes, lines, secret }
    }

    /// Replaces the table by one with `app` for the host `app`.
    pub(crate) fn serve(&self, replicas: Vec<Arc<Backend>>) {
        let log: Arc<dyn RequestLog> = Arc::<Lines>::clone(&self.lines);
        self.routes.store(Arc::new(Routes::new([(
            "app".to_owned(),
            Arc::new(AppRoute::new("app", log, replicas)),
        )])));
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.router.local_addr()).await
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut client = self.client().await;
        client.send(request).await;
        client.answer().await.expect("an answer")
    }
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nhost: app\r\n\r\n";

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// Returns the value of a header in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// One end of a connection.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads exactly `bytes`.
    pub(crate) async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let mut read = vec![0; bytes.as_ref().len()];
        bounded(self.0.read_exact(&mut read)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(bytes.as_ref()));
    }

    /// Reads a head up to its empty line; `None` at the end of the connection.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match bounded(self.0.read_until(b'\n', &mut head)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// Reads one answer to anything but HEAD.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head = self.head().await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = self.body(&head, status).await.ok()?;
        Some(Answer { status, head, body })
    }

    async fn body(&mut self, head: &str, status: u16) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if let Some(length) = header(head, "content-length") {
            body.resize(length.parse().unwrap(), 0);
            bounded(self.0.read_exact(&mut body)).await?;
        } else if header(head, "transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await? {
                body.extend(chunk);
            }
        } else if status >= 200 && status != 204 && status != 304 {
            bounded(self.0.read_to_end(&mut body)).await?;
        }
        Ok(body)
    }

    /// Reads one chunk; the last one takes its trailers along.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        bounded(self.0.read_line(&mut line)).await?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        if size == 0 {
            loop {
                line.clear();
                if bounded(self.0.read_line(&mut line)).await? <= 2 {
                    return Ok(None);
                }
            }
        }
        let mut chunk = vec![0; size + 2];
        bounded(self.0.read_exact(&mut chunk)).await?;
        chunk.truncate(size);
        Ok(Some(chunk))
    }

    /// Returns whether the other end has given up on this connection.
    pub(crate) fn send_failed(&self) -> bool {
        self.0.get_ref().try_write(b" ").is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    }

    /// Waits until the other end closes, and returns what came before that.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = bounded(self.0.read_to_end(&mut rest)).await;
        rest
    }
}

pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this took more than ten seconds")
}

/// A replica that does what a closure does with each connection.
pub(crate) struct Replica {
    pub(crate) backend: Arc<Backend>,
    pub(crate) connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Replica {
    pub(crate) async fn raw<F, T>(name: &str, serve: F) -> Self
    where
        F: Fn(Client) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Backend::new(format!("id-{name}"), name, listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                open.spawn(serve(Client(BufReader::new(stream))));
            }
        });
        Self { backend, connections, task }
    }

    /// A replica that answers each request by `answer(head, body)`, over and over.
    pub(crate) async fn answering(
        name: &str,
        answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::raw(name, move |mut client| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(head) = client.head().await {
                    let Ok(body) = client.body(&head, 100).await else { return };
                    if client.0.get_mut().write_all(&answer(&head, &body)).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// A replica that answers with its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::answering(name, move |_, _| ok(name)).await
    }

    /// A replica that answers with what it got.
    pub(crate) async fn mirror() -> Self {
        Self::answering("web.1", |head, body| ok(format!("{head}{}", String::from_utf8_lossy(body)))).await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Closes the listener and all connections.
    pub(crate) async fn die(self) -> Arc<Backend> {
        self.task.abort();
        let _ = self.task.await;
        self.backend
    }
}

/// An answer with this body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}

/// A backend at an address where nobody listens.
pub(crate) fn nobody(name: &str) -> Arc<Backend> {
    Backend::new(format!("id-{name}"), name, address::reserve())
}
