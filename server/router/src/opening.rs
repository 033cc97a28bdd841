//! The first bytes of a connection in the clear, which tell HTTP/2 with prior knowledge from HTTP/1.

use crate::clock;
use crate::watch::{Alarm, Watch};
use crate::worker::{Stage, Worker};
use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::io::{AsyncRead, ReadBuf};

/// How an HTTP/2 connection begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many bytes are read at a time; most heads of requests are shorter.
const PIECE: usize = 2_048;

/// Reads until it is clear which version is spoken. Returns the bytes, or nothing when the connection ended, said
/// nothing for too long, or is closed by the worker.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    worker: &Worker,
    watch: &Watch,
) -> Option<Vec<u8>> {
    let (mut begun, mut alarm) = (Vec::new(), Alarm::new());
    let mut closing = pin!(worker.closing.notified());
    poll_fn(|cx| {
        let now = clock::tick();
        loop {
            match poll_piece(Pin::new(&mut *stream), cx, &mut begun) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => watch.received(),
                Poll::Pending => break,
            }
            if is_preface(&begun) || !PREFACE.starts_with(&begun) {
                return Poll::Ready(Some(std::mem::take(&mut begun)));
            }
        }
        let closed = closing.as_mut().poll(cx).is_ready() || worker.stage() == Stage::Closing;
        if closed || alarm.poll(cx, watch, now).is_ready() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// Returns whether these bytes begin an HTTP/2 connection.
pub(crate) fn is_preface(begun: &[u8]) -> bool {
    begun.starts_with(PREFACE)
}

fn poll_piece<S: AsyncRead>(
    stream: Pin<&mut S>,
    cx: &mut std::task::Context<'_>,
    begun: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let mut space = [const { MaybeUninit::uninit() }; PIECE];
    let mut piece = ReadBuf::uninit(&mut space);
    stream.poll_read(cx, &mut piece).map_ok(|()| {
        begun.extend_from_slice(piece.filled());
        piece.filled().len()
    })
}
