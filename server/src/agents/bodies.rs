//! Bodies that have to come in time: the server keeps what it has of one until all of it is there.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Returns the body, which fails when nothing comes of it for so long.
pub(super) fn never_idle(body: Body, idle: Duration) -> Body {
    Body::new(Timed { body, end: Box::pin(sleep(idle)), idle: Some(idle) })
}

/// Returns the body, which fails when it has not come whole within this time.
pub(super) fn within(body: Body, whole: Duration) -> Body {
    Body::new(Timed { body, end: Box::pin(sleep(whole)), idle: None })
}

struct Timed {
    body: Body,
    end: Pin<Box<Sleep>>,
    /// How much longer it may take from each piece on.
    idle: Option<Duration>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let is_late = self.end.as_mut().poll(context).is_ready();
        match Pin::new(&mut self.body).poll_frame(context) {
            // What is there of one that may take its time is taken: the server was slow then, and not who sends.
            Poll::Ready(frame) if !is_late || self.idle.is_some() => {
                if let Some(idle) = self.idle {
                    self.end.as_mut().reset(Instant::now() + idle);
                }
                Poll::Ready(frame)
            }
            _ if is_late => Poll::Ready(Some(Err(axum::Error::new(Error::from(ErrorKind::TimedOut))))),
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
