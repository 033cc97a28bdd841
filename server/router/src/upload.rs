//! The body of a request on its way to a replica: passed on chunk by chunk as the replica takes it.
//!
//! With `Expect: 100-continue` it is not asked for before the replica says so, or has had a second to.

use crate::clock;
use crate::watch::{Phase, Watch};
use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The body of a request; most have none, and it moves with the request through many hands.
pub(crate) struct Upload(Option<Box<Coming>>);

/// A body that comes from the visitor.
struct Coming {
    incoming: Incoming,
    watch: Arc<Watch>,
    gate: Option<Gate>,
}

impl Upload {
    /// Passes `incoming` on.
    pub(crate) fn new(incoming: Incoming, watch: &Arc<Watch>) -> Self {
        let comes = !incoming.is_end_stream();
        Self(comes.then(|| Box::new(Coming { incoming, watch: Arc::clone(watch), gate: None })))
    }

    /// Makes a body without bytes.
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// Returns the signal that lets the body through; without it, the body waits for `patience`.
    pub(crate) fn wait_for_continue(&mut self, patience: Duration) -> Arc<Signal> {
        let signal = Arc::new(Signal::default());
        if let Some(coming) = &mut self.0 {
            coming.gate = Some(Gate { signal: Arc::clone(&signal), patience: Box::pin(sleep(patience)) });
        }
        signal
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let Some(this) = &mut self.0 else { return Poll::Ready(None) };
        if let Some(gate) = &mut this.gate {
            ready!(gate.poll(cx));
            clock::tick();
            this.gate = None;
            if this.watch.phase() == Phase::Wait {
                this.watch.enter(Phase::Upload);
            }
        }
        if matches!(this.watch.phase(), Phase::Idle | Phase::Head) {
            return Poll::Ready(Some(Err(UploadError::Over)));
        }
        let polled = Pin::new(&mut this.incoming).poll_frame(cx);
        this.watch.set_stalled(polled.is_pending());
        match &polled {
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => this.watch.uploaded(),
            // What comes over a stream of HTTP/2 is seen here only.
            Poll::Ready(Some(Ok(_))) => this.watch.received(),
            Poll::Ready(None) => this.watch.uploaded(),
            Poll::Ready(Some(Err(error))) if is_malformed(error) => this.watch.set_broken(),
            Poll::Ready(Some(Err(_))) => this.watch.set_left(),
            _ => {}
        }
        polled.map_err(UploadError::Visitor)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |coming| coming.incoming.size_hint())
    }
}

/// Why a body ends in the middle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The visitor broke off or sent something that is no body.
    #[error("the visitor broke off in the middle of the request")]
    Visitor(#[source] hyper::Error),
    /// The answer is complete, so nobody waits for the rest of the request.
    #[error("the answer was complete before the request was")]
    Over,
}

/// Returns whether a body broke off because of what it said, not because the visitor left.
fn is_malformed(error: &hyper::Error) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}

/// Says that a replica wants the body.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    open: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    /// Lets the body through.
    pub(crate) fn open(&self) {
        self.open.store(true, Relaxed);
        self.waker.wake();
    }
}

/// Holds a body back.
struct Gate {
    signal: Arc<Signal>,
    patience: Pin<Box<Sleep>>,
}

impl Gate {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.signal.waker.register(cx.waker());
        if self.signal.open.load(Relaxed) {
            return Poll::Ready(());
        }
        self.patience.as_mut().poll(cx)
    }
}
