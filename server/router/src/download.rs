//! The body of an answer on its way to a visitor: a replica's, passed on chunk by chunk as the visitor takes it,
//! or the router's own.

use crate::code::Code;
use crate::exchange::Exchange;
use crate::pool::Pool;
use crate::watch::Phase;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of an answer.
pub(crate) enum Reply {
    /// The router's own, or none.
    Own(Option<Bytes>),
    /// A replica's.
    Replica(Download),
}

/// Why an answer ends in the middle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    /// The replica broke off.
    #[error("the replica broke off in the middle of its answer")]
    Replica(#[source] hyper::Error),
    /// Nothing came for too long.
    #[error("the replica was silent for too long in the middle of its answer")]
    Idle,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Replica(download) => download.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Replica(download) => download.running.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Replica(download) => download.size_hint(),
        }
    }
}

/// Bytes that one stream of a shared connection is given at a time. It asks for more when these are nearly written, which is how it
/// is known that the visitor takes some.
const PIECE: usize = 32 << 10;

/// The body of a replica's answer.
pub(crate) struct Download {
    incoming: Incoming,
    /// What was read and not handed on yet.
    rest: Bytes,
    /// Bytes that are handed on at a time.
    most: usize,
    pool: Rc<Pool>,
    /// Taken when the body ends.
    running: Option<Box<Exchange>>,
}

impl Download {
    /// Passes `incoming` on, in pieces if the visitor's connection is `shared`; a body without bytes ends the exchange at once.
    pub(crate) fn new(incoming: Incoming, exchange: Box<Exchange>, pool: Rc<Pool>, shared: bool) -> Self {
        let most = if shared { PIECE } else { usize::MAX };
        let mut download = Self { incoming, rest: Bytes::new(), most, pool, running: Some(exchange) };
        if download.incoming.is_end_stream() {
            download.complete();
        }
        download
    }

    fn size_hint(&self) -> SizeHint {
        let (incoming, rest) = (self.incoming.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(incoming.lower() + rest);
        if let Some(upper) = incoming.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let Some(exchange) = &mut self.running else { return Poll::Ready(None) };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                exchange.carried(frame.data_ref().map_or(0, Bytes::len));
                exchange.watch().touch();
                let frame = match frame.into_data() {
                    Ok(data) => {
                        self.rest = data;
                        self.piece()
                    }
                    Err(trailers) => trailers,
                };
                if self.rest.is_empty() && self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => self.break_off(Code::H18, BrokenOff::Replica(error)),
            Poll::Pending if exchange.watch().phase() == Phase::Respond && exchange.watch().is_expired() => {
                self.break_off(Code::H15, BrokenOff::Idle)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Takes the next piece of what was read.
    fn piece(&mut self) -> Frame<Bytes> {
        if let Some(exchange) = &self.running {
            exchange.watch().touch();
        }
        let piece = self.rest.split_to(self.rest.len().min(self.most));
        if self.rest.is_empty() && self.incoming.is_end_stream() {
            self.complete();
        }
        Frame::data(piece)
    }

    fn complete(&mut self) {
        if let Some(mut exchange) = self.running.take() {
            let link = exchange.take_link();
            exchange.finish(None);
            if let Some(link) = link {
                self.pool.give_back(link);
            }
        }
    }

    fn break_off<T>(&mut self, code: Code, error: BrokenOff) -> Poll<Option<Result<T, BrokenOff>>> {
        if let Some(exchange) = self.running.take() {
            exchange.finish(Some(code));
        }
        Poll::Ready(Some(Err(error)))
    }
}
