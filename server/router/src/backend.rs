//! One replica as the router sees it: where it listens, what it is doing, how it has been doing.
//!
//! A backend outlives the snapshots of the table it appears in, so that its counts survive a change of the table.

use crate::standing::Standing;
use crate::way_in::WayIn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Instant;
use tokio::sync::watch;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// One replica with its address and its counts.
#[derive(Debug)]
pub struct Backend {
    serial: u64,
    replica: Box<str>,
    name: Box<str>,
    address: SocketAddr,
    /// How it is reached there, unless it is on this host.
    way_in: Option<WayIn>,
    /// Requests that were sent to it; those that ended.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Those that it began to answer; those that ended before.
    answered: AtomicU64,
    unanswered: AtomicU64,
    tunnels: AtomicUsize,
    /// When its tunnels are closed, once it is leaving.
    leaves: watch::Sender<Option<Instant>>,
    server_errors: AtomicU64,
    failed: AtomicU64,
    /// Visitors' requests whose line it is named in, and those of them that were answered with an error.
    visits: AtomicU64,
    visit_errors: AtomicU64,
    out: AtomicBool,
}

impl Backend {
    /// Makes a backend for the replica with this id, shown in logs as `name` (`web.1`), listening on `address`.
    pub fn new(replica: impl Into<Box<str>>, name: impl Into<Box<str>>, address: SocketAddr) -> Arc<Self> {
        Self::reached(replica.into(), name.into(), address, None)
    }

    /// Makes a backend for a replica on another host, whose entry listens on `address`.
    pub fn elsewhere(
        replica: impl Into<Box<str>>,
        name: impl Into<Box<str>>,
        address: SocketAddr,
        way_in: WayIn,
    ) -> Arc<Self> {
        Self::reached(replica.into(), name.into(), address, Some(way_in))
    }

    fn reached(replica: Box<str>, name: Box<str>, address: SocketAddr, way_in: Option<WayIn>) -> Arc<Self> {
        Arc::new(Self {
            serial: NEXT_SERIAL.fetch_add(1, Relaxed),
            replica,
            name,
            address,
            way_in,
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            tunnels: AtomicUsize::new(0),
            leaves: watch::Sender::new(None),
            server_errors: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            visits: AtomicU64::new(0),
            visit_errors: AtomicU64::new(0),
            out: AtomicBool::new(false),
        })
    }

    /// Returns the replica's id.
    pub fn replica(&self) -> &str {
        &self.replica
    }

    /// Returns the replica's name in logs, such as `web.1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address the replica listens on, or the entry of its host.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how it is reached there, unless it is on this host.
    pub(crate) fn way_in(&self) -> Option<&WayIn> {
        self.way_in.as_ref()
    }

    /// Returns how many requests, streams and tunnels it is serving now.
    pub fn in_flight(&self) -> usize {
        // In this order: what ends between the two must not make more ended than begun.
        let ended = self.ended.load(Acquire);
        usize::try_from(self.begun.load(Relaxed).saturating_sub(ended)).unwrap_or(usize::MAX)
    }

    /// Returns how many of those in flight are `WebSockets` or other tunnels.
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Relaxed)
    }

    /// Lets its requests go on and closes its tunnels at `deadline`, `WebSockets` with the status 1001; of several
    /// deadlines the earliest stands.
    ///
    /// That no new requests come is a matter of the table, which it has to leave before.
    pub fn leave(&self, deadline: Instant) {
        self.leaves.send_if_modified(|known| {
            let earlier = known.is_none_or(|known| deadline < known);
            if earlier {
                *known = Some(deadline);
            }
            earlier
        });
    }

    /// Returns what tells when its tunnels are to be closed.
    pub(crate) fn leaves(&self) -> watch::Receiver<Option<Instant>> {
        self.leaves.subscribe()
    }

    /// Returns how many requests were sent to it, each attempt counted.
    pub fn requests(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Returns how many requests it began to answer.
    pub fn answered(&self) -> u64 {
        self.answered.load(Acquire)
    }

    /// Returns whether requests wait for the beginning of their answers.
    pub fn is_waited_for(&self) -> bool {
        // In this order, as above.
        let over = self.answered().saturating_add(self.unanswered.load(Acquire));
        self.begun.load(Relaxed) > over
    }

    /// Returns how many of its answers had a status of 500 or above.
    pub fn server_errors(&self) -> u64 {
        self.server_errors.load(Relaxed)
    }

    /// Returns how often it gave no whole answer: refused, reset, timed out, broken off or malformed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Counts a visitor's request when its line is written: each once, by the replica that was asked last.
    pub fn count_visit(&self, is_error: bool) {
        self.visits.fetch_add(1, Relaxed);
        if is_error {
            self.visit_errors.fetch_add(1, Relaxed);
        }
    }

    /// Returns how many visitors' requests were counted, and how many of them as errors.
    pub fn visits(&self) -> (u64, u64) {
        (self.visits.load(Relaxed), self.visit_errors.load(Relaxed))
    }

    /// Returns a number no other backend of this process has.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Returns whether it takes no connections at the moment, so that all others of its app are asked before it.
    pub fn is_out(&self) -> bool {
        self.out.load(Relaxed)
    }

    /// Takes note of an attempt to connect to it, and returns its new standing if that changed it.
    pub(crate) fn judge(&self, attempt: Result<(), io::ErrorKind>) -> Option<Standing> {
        let out = self.is_out();
        let standing = if out { Standing::Out } else { Standing::In }.after(attempt);
        let now_out = standing == Standing::Out;
        // Only one of several threads that see the same brings the change about.
        (out != now_out && self.out.swap(now_out, Relaxed) != now_out).then_some(standing)
    }

    /// Counts an answer that did not come, or not whole.
    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Counts an answer with a status of 500 or above.
    pub(crate) fn count_server_error(&self) {
        self.server_errors.fetch_add(1, Relaxed);
    }
}

/// One request's claim on a backend; the backend counts it as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    backend: Option<Arc<Backend>>,
    tunnel: bool,
    answered: bool,
}

impl Lease {
    /// Counts one more request in flight on `backend`.
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        backend.begun.fetch_add(1, Relaxed);
        Self { backend: Some(backend), tunnel: false, answered: false }
    }

    /// Returns the backend.
    pub(crate) fn backend(&self) -> Option<&Arc<Backend>> {
        self.backend.as_ref()
    }

    /// Counts the request as a tunnel, too.
    pub(crate) fn tunnel(&mut self) {
        if let (Some(backend), false) = (&self.backend, self.tunnel) {
            backend.tunnels.fetch_add(1, Relaxed);
            self.tunnel = true;
        }
    }

    /// Counts the request as one that the backend began to answer.
    pub(crate) fn answer(&mut self) {
        if let (Some(backend), false) = (&self.backend, self.answered) {
            backend.answered.fetch_add(1, Release);
            self.answered = true;
        }
    }

    /// Ends the claim and returns the backend.
    pub(crate) fn end(mut self) -> Option<Arc<Backend>> {
        self.release()
    }

    fn release(&mut self) -> Option<Arc<Backend>> {
        let backend = self.backend.take()?;
        if !self.answered {
            backend.unanswered.fetch_add(1, Release);
        }
        backend.ended.fetch_add(1, Release);
        if self.tunnel {
            backend.tunnels.fetch_sub(1, Relaxed);
        }
        Some(backend)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_waited_for_until_it_begins_to_answer_or_the_visitor_leaves() {
        let backend = Backend::new("r", "web.1", SocketAddr::from(([127, 0, 0, 1], 1)));
        let (mut stream, gives_up) = (Lease::new(backend.clone()), Lease::new(backend.clone()));
        stream.answer();
        assert!(backend.is_waited_for());
        drop(gives_up);
        assert!(!backend.is_waited_for(), "a long answer is one");
        assert_eq!((backend.answered(), backend.in_flight(), backend.requests()), (1, 1, 2));
    }
}
