//! The connections of one worker to the replicas: the one used last is used next, so that the rest can grow old.
//!
//! Nothing here is shared between threads.

use crate::backend::Backend;
use crate::clock;
use crate::options::Limits;
use crate::routes::Routes;
use crate::upload::Upload;
use crate::wire::{Talk, Wire};
use futures::FutureExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// For how long after its last use a connection may carry a request that cannot be repeated, in milliseconds.
///
/// Servers close idle connections after two seconds or more, and such a request must not meet the closing.
const FRESH: u64 = 1_000;

/// How long a connection may take to be ready for the next request after an answer was complete.
const SETTLE: Duration = Duration::from_secs(1);

/// A connection to a replica; it is closed when this is dropped.
pub(crate) struct Link {
    /// Sends requests over it.
    pub(crate) sender: SendRequest<Upload>,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    /// What was said over it.
    pub(crate) talk: Talk,
    serial: u64,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        // It may be stuck in sending an upload nobody reads, and would stay so.
        self.task.abort();
    }
}

/// Hashes the serials of backends: they are ours and distinct, so that nothing has to be feared of them.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, serial: u64) {
        // The table looks at the highest bits and the lowest ones.
        self.0 = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20);
    }
}

type BySerial<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;

/// Unused connections by backend.
pub(crate) struct Pool {
    idle: RefCell<BySerial<Vec<(u64, Link)>>>,
    limit: usize,
}

impl Pool {
    /// Makes an empty pool.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { idle: RefCell::default(), limit: limits.pooled }
    }

    /// Returns an open connection to `backend`; for a request that cannot be repeated, only one used just now.
    pub(crate) fn take(&self, backend: &Backend, repeatable: bool) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        let links = idle.get_mut(&backend.serial())?;
        while let Some((since, mut link)) = links.pop() {
            if !link.sender.is_ready() {
                continue;
            }
            if !repeatable && since + FRESH < clock::now() {
                links.push((since, link));
                return None;
            }
            link.reused = true;
            return Some(link);
        }
        None
    }

    /// Takes a connection back as soon as it is ready for the next request.
    pub(crate) fn give_back(self: &Rc<Self>, mut link: Link) {
        if link.sender.is_ready() {
            return self.put(link);
        }
        if link.sender.is_closed() {
            return;
        }
        let pool = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE, link.sender.ready()).await {
                pool.put(link);
            }
        });
    }

    fn put(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        let links = idle.entry(link.serial).or_default();
        if links.len() < self.limit {
            links.push((clock::now(), link));
        }
    }

    /// Drops connections that are closed, have not been used for `age`, or lead to a backend that is not in `routes`.
    ///
    /// A replica that was told to stop often waits for its idle connections to end, so they must not wait for it.
    pub(crate) fn sweep(&self, age: Duration, routes: &Routes) {
        let oldest = clock::now().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        self.idle.borrow_mut().retain(|serial, links| {
            links.retain(|(since, link)| *since >= oldest && !link.sender.is_closed());
            !links.is_empty() && routes.has(*serial)
        });
    }
}

/// Connects to `backend` within `limit`.
pub(crate) async fn connect(backend: &Backend, limit: Duration, limits: &Limits) -> io::Result<Link> {
    let stream = tokio::time::timeout(limit, TcpStream::connect(backend.address())).await??;
    stream.set_nodelay(true)?;
    let talk = Talk::default();
    let (sender, task) = match backend.way_in() {
        None => speak(stream, &talk, limits).await?,
        Some(way_in) => speak(way_in.enter(stream, limit).await?, &talk, limits).await?,
    };
    Ok(Link { sender, reused: false, talk, serial: backend.serial(), task })
}

/// Begins HTTP over a stream.
async fn speak<S>(stream: S, talk: &Talk, limits: &Limits) -> io::Result<(SendRequest<Upload>, AbortHandle)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_header_size(limits.header_bytes)
        .handshake(TokioIo::new(Wire::new(stream, talk)))
        .await
        .map_err(io::Error::other)?;
    // Its errors reach the request it was serving; without one, nobody needs them.
    let task = tokio::task::spawn_local(connection.with_upgrades().map(drop));
    Ok((sender, task.abort_handle()))
}
