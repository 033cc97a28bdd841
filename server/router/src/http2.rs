//! Serves a connection of a visitor who speaks HTTP/2: each stream is a request of its own, with a watch of its own.
//!
//! Floods of resets, of continuations and of settings are for the library to end; it is told the bounds.

use crate::clock;
use crate::handle::handle;
use crate::options::Limits;
use crate::visitor::Visitor;
use crate::watch::{Alarm, Phase, Watch};
use crate::worker::{Stage, Worker};
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};

/// How often a silent visitor is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// How many bytes of an upload may be under way before a replica takes them, per stream and per connection.
const WINDOW: u32 = 256 * 1_024;

/// How many bytes of answers are kept per stream for a visitor who is slow to take them.
const SEND_BUFFER: usize = 64 * 1_024;

/// How many streams a visitor may have opened and reset, without our having seen to them.
const RESETS: usize = 32;

/// Returns the bounds of a connection.
fn bounds(latest: Latest, limits: &Limits) -> Builder<Latest> {
    let mut builder = Builder::new(latest);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .enable_connect_protocol();
    builder
}

/// Serves the connection until it ends.
pub(crate) async fn serve<S>(visitor: Rc<Visitor>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let latest = Latest::default();
    let (parent, slot) = (Rc::clone(&visitor), latest.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let stream = Rc::new(Visitor::stream(&parent));
        slot.0.set(Some(Arc::clone(&stream.watch)));
        handle(stream, request)
    });
    let builder = bounds(latest, &visitor.worker.limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // One count is ours and one the service's; each stream has one more.
    let is_idle = || Rc::strong_count(&visitor) <= 2;
    let mut ending = Ending::new(visitor.worker.timeouts.keep_alive);
    let mut closing = pin!(visitor.worker.closing.notified());
    poll_fn(|cx| {
        clock::tick();
        let _ = closing.as_mut().poll(cx);
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match ending.poll(cx, &visitor.worker, is_idle()) {
            Step::Stay => Poll::Pending,
            Step::Cut => Poll::Ready(()),
            Step::End => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().poll(cx).map(drop)
            }
        }
    })
    .await;
}

/// What is to be done about a connection's end.
enum Step {
    Stay,
    /// It takes no new streams.
    End,
    /// It is over.
    Cut,
}

/// Decides when a connection ends: when no stream was open for long, or the worker stops.
struct Ending {
    limit: Duration,
    idle: std::pin::Pin<Box<Sleep>>,
    told: bool,
}

impl Ending {
    fn new(limit: Duration) -> Self {
        Self { limit, idle: Box::pin(sleep(limit)), told: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>, worker: &Worker, is_idle: bool) -> Step {
        if !self.told && worker.stage() == Stage::Closing {
            self.told = true;
            return Step::End;
        }
        if !is_idle {
            self.idle.as_mut().reset(Instant::now() + self.limit);
        }
        if self.idle.as_mut().poll(cx).is_pending() {
            return Step::Stay;
        }
        if self.told {
            return Step::Cut;
        }
        // A visitor who does not hear this is cut off after as long again.
        self.told = true;
        self.idle.as_mut().reset(Instant::now() + self.limit);
        let _ = self.idle.as_mut().poll(cx);
        Step::End
    }
}

/// Runs the streams of a connection on its thread, each under the watch of its request.
///
/// The library hands a stream over right after the service was called for it.
#[derive(Clone, Default)]
struct Latest(Rc<Cell<Option<Arc<Watch>>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Latest {
    fn execute(&self, stream: F) {
        match self.0.take() {
            Some(watch) => drop(tokio::task::spawn_local(attend(stream, watch))),
            None => drop(tokio::task::spawn_local(stream)),
        }
    }
}

/// Drives one stream until it ends or takes too long; dropping it resets it.
async fn attend<F: Future<Output = ()>>(stream: F, watch: Arc<Watch>) {
    let (mut stream, mut alarm) = (pin!(stream), Alarm::new());
    poll_fn(|cx| {
        let now = clock::tick();
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        std::task::ready!(alarm.poll(cx, &watch, now));
        // Its own parts notice first, and answer or note why.
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if matches!(watch.phase(), Phase::Upload | Phase::Wait) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if watch.is_expired() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
