//! Moves the bytes of one direction of a tunnel, and ends it between two frames when it has to.
//!
//! A tunnel in which nothing moves holds no buffer: bytes are read when there are some, and kept only if the other
//! end does not take them at once.

use crate::frames::Frames;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes are read at a time.
const PIECE: usize = 16 * 1024;

/// One direction of a tunnel.
pub(crate) struct Pump {
    /// What was read and not yet written.
    kept: Vec<u8>,
    /// Where between frames it is, if these are frames.
    frames: Option<Frames>,
    /// What is said at the end, if it is ended.
    last_words: Vec<u8>,
    state: State,
    moved: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes are passed on.
    Open,
    /// The reading end is over; what is kept is written, then the other end learns of it.
    Over,
    /// It was ended: the rest of the present frame passes, then the last words.
    Ending,
    /// The last words are being written.
    LastWords,
    /// What still comes is dropped, so that no reset overtakes the last words.
    Dropping,
    /// Nothing more happens.
    Done,
}

impl Pump {
    /// Makes a pump for bytes, or for frames with what is said after the last of them.
    pub(crate) fn new(last_words: Option<Vec<u8>>) -> Self {
        let frames = last_words.is_some().then(Frames::default);
        Self {
            kept: Vec::new(),
            frames,
            last_words: last_words.unwrap_or_default(),
            state: State::Open,
            moved: 0,
        }
    }

    /// Returns how many bytes were written.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Ends this direction after the frame whose bytes were read last.
    pub(crate) fn end(&mut self) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Ending;
    }

    /// Returns ready when this direction is closed at both ends; `leaving` says last words where the reading end
    /// said none.
    pub(crate) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        leaving: bool,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            ready!(self.write_kept(cx, to))?;
            match self.state {
                State::Open | State::Dropping => {
                    if self.read(cx, from, to)?.is_pending() {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        return Poll::Pending;
                    }
                }
                State::Ending => {
                    if self.is_between() {
                        self.say_last_words(State::LastWords);
                    } else if self.read(cx, from, to)?.is_pending() {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        return Poll::Pending;
                    }
                }
                State::Over if leaving && self.is_between() && !self.last_words.is_empty() => {
                    self.say_last_words(State::Over);
                }
                State::Over => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Done;
                }
                State::LastWords => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Dropping;
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn is_between(&self) -> bool {
        self.frames.as_ref().is_none_or(Frames::is_between)
    }

    /// Puts the last words behind what was written, unless something like them was said already.
    fn say_last_words(&mut self, then: State) {
        let words = std::mem::take(&mut self.last_words);
        if !self.frames.as_ref().is_some_and(Frames::is_closed) {
            self.kept = words;
        }
        self.state = then;
    }

    fn read<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> io::Result<Poll<()>> {
        let mut space = [const { MaybeUninit::uninit() }; PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        match Pin::new(from).poll_read(cx, &mut piece) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) => {}
        }
        let bytes = piece.filled();
        if bytes.is_empty() {
            self.state = if self.state == State::Dropping { State::Done } else { State::Over };
        } else if self.state == State::Open {
            let written = match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            if let Some(frames) = &mut self.frames {
                frames.pass(bytes);
            }
            self.moved += written as u64;
            self.kept.extend_from_slice(&bytes[written..]);
        } else if let (State::Ending, Some(frames)) = (self.state, &mut self.frames) {
            let own = frames.finish(bytes);
            self.kept.extend_from_slice(&bytes[..own]);
        }
        Ok(Poll::Ready(()))
    }

    fn write_kept<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.kept))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved += written as u64;
            self.kept.drain(..written);
        }
        self.kept = Vec::new();
        Poll::Ready(Ok(()))
    }
}
