//! Whether a stream is known to have nothing to read, so that the system of its readiness is not asked in vain.
//!
//! The library asks for bytes several times whenever a connection is looked after, for whatever reason that is. After
//! the first time in vain only the stream itself can bring news, and it rings a bell that is heard here.

use futures::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::task::{Context, Poll, Wake, Waker};

/// What is known about the bytes of one stream.
pub(crate) struct Dry {
    bell: Arc<Bell>,
    /// Rings the bell.
    rope: Waker,
    /// The task that read last.
    task: Option<Waker>,
    /// Whether it found nothing to read.
    is: bool,
}

#[derive(Default)]
struct Bell {
    rang: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Release);
        self.task.wake();
    }
}

impl Dry {
    /// Begins with a stream of which nothing is known.
    pub(crate) fn new() -> Self {
        let bell = Arc::new(Bell::default());
        Self { rope: Waker::from(Arc::clone(&bell)), bell, task: None, is: false }
    }

    /// Reads with `read`, unless it is known that there is nothing to read.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        read: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let known = self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        let rang = self.bell.rang.load(Acquire);
        if known && self.is && !rang {
            return Poll::Pending;
        }
        if !known {
            self.task = Some(cx.waker().clone());
        }
        if !known || rang {
            // Before the stream is asked, which may ring at once.
            self.bell.rang.store(false, Release);
            self.bell.task.register(cx.waker());
        }
        let polled = read(&mut Context::from_waker(&self.rope));
        self.is = polled.is_pending();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use tokio::io::{AsyncRead, AsyncWriteExt as _, DuplexStream, ReadBuf};

    /// A stream that counts how often it is asked.
    struct Asked {
        stream: DuplexStream,
        dry: Dry,
        times: usize,
    }

    impl Asked {
        fn poll(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
            let (stream, times) = (&mut self.stream, &mut self.times);
            self.dry.poll(cx, |cx| {
                *times += 1;
                let mut space = [0; 8];
                let mut buf = ReadBuf::new(&mut space);
                pin!(stream).poll_read(cx, &mut buf).map(|read| read.map(|()| buf.filled().len()).unwrap())
            })
        }
    }

    fn pair() -> (DuplexStream, Asked) {
        let (near, stream) = tokio::io::duplex(64);
        (near, Asked { stream, dry: Dry::new(), times: 0 })
    }

    #[tokio::test]
    async fn a_stream_without_bytes_is_asked_once_until_it_rings() {
        let (mut near, mut asked) = pair();
        for _ in 0..3 {
            assert!(futures::poll!(poll_fn(|cx| asked.poll(cx))).is_pending());
        }
        assert_eq!(asked.times, 1);
        near.write_all(b"ab").await.unwrap();
        assert_eq!(poll_fn(|cx| asked.poll(cx)).await, 2);
        assert_eq!(asked.times, 2);
        assert!(futures::poll!(poll_fn(|cx| asked.poll(cx))).is_pending());
        assert_eq!(asked.times, 3);
    }

    #[tokio::test]
    async fn a_task_that_takes_the_stream_over_is_woken() {
        let (mut near, mut asked) = pair();
        assert!(asked.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let reads = tokio::spawn(async move { poll_fn(|cx| asked.poll(cx)).await });
        tokio::task::yield_now().await;
        near.write_all(b"abc").await.unwrap();
        assert_eq!(reads.await.unwrap(), 3);
    }
}
