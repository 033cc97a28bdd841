//! One request from its arrival to its end: holds the replica while it lasts and writes the one line about it.
//!
//! However a request ends, this is dropped; what was not finished by then was interrupted by the visitor.

use crate::backend::{Backend, Lease};
use crate::clock;
use crate::code::Code;
use crate::line::RequestLine;
use crate::pool::Link;
use crate::routes::AppRoute;
use crate::upload::Upload;
use crate::watch::{Phase, Watch};
use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use http_body::Body;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request that is being served.
pub(crate) struct Exchange {
    app: Arc<AppRoute>,
    watch: Arc<Watch>,
    /// Taken when it is written.
    line: Option<RequestLine>,
    lease: Option<Lease>,
    /// The request, until it is sent.
    request: Option<Request<Upload>>,
    /// The connection to the replica, once the request was sent.
    link: Option<Link>,
    /// By `clock`.
    started: u64,
    answered: bool,
    probe: bool,
}

impl Exchange {
    /// Begins with what is known when a request arrives; probes are not logged.
    pub(crate) fn new(app: Arc<AppRoute>, watch: Arc<Watch>, line: RequestLine, probe: bool) -> Box<Self> {
        // It moves with the answer through many hands; a box is cheaper than to copy it each time.
        let started = clock::now();
        let line = Some(line);
        Box::new(Self {
            app,
            watch,
            line,
            lease: None,
            request: None,
            link: None,
            started,
            answered: false,
            probe,
        })
    }

    /// Puts the request here until it is sent.
    pub(crate) fn put_request(&mut self, request: Request<Upload>) {
        self.request = Some(request);
    }

    /// Takes the request, to send it.
    pub(crate) fn take_request(&mut self) -> Option<Request<Upload>> {
        self.request.take()
    }

    /// Returns whether the request has no body and may be sent twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| request.body().is_end_stream() && request.method().is_idempotent())
    }

    /// Puts the connection here that the answer comes over.
    pub(crate) fn put_link(&mut self, link: Link) {
        self.link = Some(link);
    }

    /// Takes the connection that the answer comes over.
    pub(crate) fn take_link(&mut self) -> Option<Link> {
        self.link.take()
    }

    /// Returns the app the request is for.
    pub(crate) fn app(&self) -> &Arc<AppRoute> {
        &self.app
    }

    /// Returns the watch over the visitor's connection.
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Holds `backend` for this request, in place of the one held so far.
    pub(crate) fn hold(&mut self, backend: Arc<Backend>) {
        self.lease = Some(Lease::new(backend));
    }

    /// Returns the replica that is held.
    pub(crate) fn backend(&self) -> Option<&Arc<Backend>> {
        self.lease.as_ref()?.backend()
    }

    /// Counts the request as a tunnel and returns what tells when its replica leaves.
    pub(crate) fn tunnel(&mut self) -> Option<tokio::sync::watch::Receiver<Option<Instant>>> {
        let lease = self.lease.as_mut()?;
        lease.tunnel();
        lease.backend().map(|backend| backend.leaves())
    }

    /// Lets go of a backend that was of no use; it counts against it if it took no connection.
    pub(crate) fn release(&mut self, refused: bool) {
        let Some(backend) = self.lease.take().and_then(Lease::end) else { return };
        if refused {
            backend.count_failed();
        }
        if let Some(line) = &mut self.line {
            line.replica = Some(backend);
        }
    }

    /// Notes that a new connection to the replica was made.
    pub(crate) fn connected(&mut self) {
        let elapsed = self.elapsed();
        if let Some(line) = &mut self.line {
            line.connect = elapsed;
        }
    }

    /// Notes that the replica began to answer.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.answered = true;
        if let Some(lease) = &mut self.lease {
            lease.answer();
        }
        if let Some(line) = &mut self.line {
            line.status = status;
        }
    }

    /// Notes bytes of the answer.
    pub(crate) fn carried(&mut self, bytes: usize) {
        if let Some(line) = &mut self.line {
            line.bytes += bytes as u64;
        }
    }

    /// Returns the id of the request.
    pub(crate) fn request_id(&self) -> Option<&http::HeaderValue> {
        self.line.as_ref().map(|line| &line.request_id)
    }

    /// Ends the request and writes its line; what follows for the visitor is the next request.
    pub(crate) fn finish(mut self: Box<Self>, code: Option<Code>) {
        self.end(code);
        self.watch.enter(Phase::Idle);
    }

    fn end(&mut self, code: Option<Code>) {
        let whole = self.elapsed();
        let Some(line) = &mut self.line else { return };
        if let Some(backend) = self.lease.take().and_then(Lease::end) {
            if code.is_some_and(Code::blames_replica) {
                backend.count_failed();
            } else if self.answered && line.status.is_server_error() {
                backend.count_server_error();
            }
            line.replica = Some(backend);
        }
        if let Some(code) = code {
            line.code = Some(code);
            line.status = code.status();
        }
        line.service = whole.saturating_sub(line.connect);
        // In one piece, and once: it is the largest thing that leaves here.
        if let (Some(line), false) = (self.line.take(), self.probe) {
            self.app.log.request(line);
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(clock::now().saturating_sub(self.started))
    }

    /// Returns what became of a request nobody finished.
    fn interruption(&self) -> Option<Code> {
        if self.watch.phase() == Phase::Respond && self.watch.is_expired() {
            return Some(Code::H28);
        }
        // A visitor who leaves in the middle of an answer has seen its status; Heroku logs it as served.
        (!self.answered).then_some(Code::H27)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.line.is_some() {
            let code = self.interruption();
            self.end(code);
        }
    }
}

/// Returns a line with what is known when a request arrives.
pub(crate) fn line(
    parts: &http::request::Parts,
    host: http::HeaderValue,
    request_id: http::HeaderValue,
    fwd: http::HeaderValue,
    protocol: &'static str,
) -> RequestLine {
    RequestLine {
        code: None,
        method: parts.method.clone(),
        path: parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        host,
        request_id,
        fwd,
        replica: None,
        connect: Duration::ZERO,
        service: Duration::ZERO,
        status: StatusCode::SERVICE_UNAVAILABLE,
        bytes: 0,
        protocol,
    }
}
