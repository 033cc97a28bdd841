//! What can be set about the router, with the values it has when nothing is said.

use crate::network::Network;
use crate::probe::ProbeSecret;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

/// Where the router takes connections from.
#[derive(Debug)]
pub enum Listen {
    /// Binds this address, once per worker; port 0 lets the system choose.
    Address(SocketAddr),
    /// Takes sockets that listen already, for example from a predecessor; workers share them in turn.
    Sockets(Vec<TcpListener>),
}

/// Where and with what the router speaks TLS.
#[derive(Debug)]
pub struct Tls {
    /// Where connections come from.
    pub listen: Listen,
    /// The directory of the certificates: `NAME/fullchain.pem` and `NAME/privkey.pem` for the domain NAME, which may
    /// begin with `*.` or `_.`; looked through every two seconds.
    pub certificates: PathBuf,
}

/// How to start a router.
#[derive(Debug)]
pub struct RouterOptions {
    /// Where connections come from.
    pub listen: Listen,
    /// Where TLS is spoken, if it is.
    pub tls: Option<Tls>,
    /// The proxies whose `X-Forwarded-Proto`, `-Port` and `-Host` are passed on; none.
    pub trusted: Vec<Network>,
    /// How many threads serve requests, at least 1.
    pub workers: usize,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much there may be of things.
    pub limits: Limits,
    /// What a probe through the entrance must know.
    pub probe_secret: ProbeSecret,
    /// Each connection ends with its first answer: it serves only until a successor does.
    pub parting: bool,
}

impl RouterOptions {
    /// Returns options for `address` with one worker per core and the usual limits.
    pub fn new(address: SocketAddr, probe_secret: ProbeSecret) -> Self {
        Self {
            listen: Listen::Address(address),
            tls: None,
            trusted: Vec::new(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            probe_secret,
            parting: false,
        }
    }
}

/// How long each part of a request may take.
///
/// Source of 30 s and 55 s: <https://devcenter.heroku.com/articles/http-routing#timeouts>.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// To connect to a replica; 5 s.
    pub connect: Duration,
    /// From the end of the request to the first byte of the answer; 30 s.
    pub first_byte: Duration,
    /// Without a byte in either direction, once bytes have been flowing; 55 s.
    pub idle: Duration,
    /// Without a byte in either direction in a WebSocket or another tunnel; 1 h.
    pub tunnel: Duration,
    /// For a visitor to send the head of a request, once it began; 10 s.
    pub header: Duration,
    /// For a visitor to begin the next request on a connection; 90 s.
    pub keep_alive: Duration,
    /// For a replica to say `100 Continue` before the body is sent all the same; 1 s.
    pub continue_: Duration,
    /// For an unused connection to a replica to be kept; 60 s.
    pub pooled: Duration,
    /// For a visitor's connection without a request to be kept when the router stops; 2 s.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(55),
            tunnel: Duration::from_secs(3_600),
            header: Duration::from_secs(10),
            keep_alive: Duration::from_secs(90),
            continue_: Duration::from_secs(1),
            pooled: Duration::from_secs(60),
            linger: Duration::from_secs(2),
        }
    }
}

/// How much there may be of each thing.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of visitors at a time; more wait in the system's queue; 50,000.
    pub connections: usize,
    /// Bytes in the head of a request or an answer; 64 KiB.
    pub header_bytes: usize,
    /// Requests at a time on one HTTP/2 connection; 100.
    pub streams: u32,
    /// Unused connections kept per worker and replica; 256.
    pub pooled: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 50_000, header_bytes: 64 * 1024, streams: 100, pooled: 256 }
    }
}
