//! The body of a request to git: unpacked where it came gzipped, bounded in size and in silence.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzDecoder;
use futures::stream::{BoxStream, Fuse};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Input given to the decoder at once: gzip unpacks to at most about a thousand times this.
const GZIP_STEP: usize = 4096;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request is larger than {0} bytes")]
    TooLarge(u64),
    #[error("nothing came for {} seconds", .0.as_secs())]
    Silent(Duration),
    #[error("the request broke off: {0}")]
    Broken(BoxError),
    #[error("the request is not valid gzip")]
    Gzip(#[source] io::Error),
}

type BoxError = Box<dyn Error + Send + Sync>;

/// A body as a sequence of decoded chunks.
pub(crate) struct Body {
    stream: Fuse<BoxStream<'static, Result<Bytes, BoxError>>>,
    decoder: Option<GzDecoder<Vec<u8>>>,
    undecoded: Bytes,
    limit: u64,
    came: u64,
    decoded: u64,
    idle: Duration,
}

impl Body {
    pub(crate) fn new<E: Into<BoxError> + 'static>(
        stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
        gzip: bool,
        limit: u64,
        idle: Duration,
    ) -> Self {
        let stream = stream.map_err(Into::into).boxed().fuse();
        let decoder = gzip.then(|| GzDecoder::new(Vec::new()));
        Self { stream, decoder, undecoded: Bytes::new(), limit, came: 0, decoded: 0, idle }
    }

    /// Returns the next chunk, or none at the end. Not to be called again after an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let Some(chunk) = self.next_decoded().await? else { return Ok(None) };
            self.decoded += chunk.len() as u64;
            if self.decoded > self.limit {
                return Err(BodyError::TooLarge(self.limit));
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    async fn next_decoded(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.undecoded.is_empty() {
            let Some(chunk) = self.next_raw().await? else { return self.finish() };
            self.undecoded = chunk;
        }
        let Some(decoder) = &mut self.decoder else { return Ok(Some(std::mem::take(&mut self.undecoded))) };
        let step = self.undecoded.split_to(self.undecoded.len().min(GZIP_STEP));
        decoder.write_all(&step).and_then(|()| decoder.flush()).map_err(BodyError::Gzip)?;
        Ok(Some(std::mem::take(decoder.get_mut()).into()))
    }

    async fn next_raw(&mut self) -> Result<Option<Bytes>, BodyError> {
        let next = timeout(self.idle, self.stream.next()).await.map_err(|_| BodyError::Silent(self.idle))?;
        let Some(chunk) = next.transpose().map_err(BodyError::Broken)? else {
            return Ok(None);
        };
        self.came += chunk.len() as u64;
        if self.came > self.limit {
            return Err(BodyError::TooLarge(self.limit));
        }
        Ok(Some(chunk))
    }

    fn finish(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(None) };
        decoder.try_finish().map_err(BodyError::Gzip)?;
        Ok(Some(std::mem::take(decoder.get_mut()).into()))
    }

    /// Reads on and forgets, within bounds: a client that is still sending does not see an answer before it is done.
    pub(crate) async fn discard(&mut self, most: u64, until: Instant) {
        let mut left = most;
        while let Ok(Some(Ok(chunk))) = timeout_at(until, self.stream.next()).await {
            let Some(rest) = left.checked_sub(chunk.len() as u64) else { return };
            left = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzipped(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], cut: usize, gzip: bool, limit: u64) -> Result<Vec<u8>, BodyError> {
        let chunks: Vec<_> =
            bytes.chunks(cut).map(|part| Ok::<_, io::Error>(Bytes::copy_from_slice(part))).collect();
        let mut body = Body::new(futures::stream::iter(chunks), gzip, limit, Duration::from_secs(5));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(chunk) = body.next().await? {
                all.extend_from_slice(&chunk);
            }
            Ok(all)
        })
    }

    #[test]
    fn a_small_gzip_that_unpacks_to_much_is_cut_off_early() {
        let bomb = gzipped(&vec![0; 50 << 20]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(read(&bomb, 1 << 20, true, 1 << 20), Err(BodyError::TooLarge(_))));
    }

    #[test]
    fn half_a_gzip_and_none_at_all_are_errors() {
        let whole = gzipped(b"0032want 04bacd0d534f8e33dad78a189e20378b56a90de9");
        assert!(matches!(read(&whole[..whole.len() - 5], 7, true, 1 << 20), Err(BodyError::Gzip(_))));
        assert!(matches!(read(b"0000", 7, true, 1 << 20), Err(BodyError::Gzip(_))));
    }

    #[tokio::test]
    async fn a_client_that_falls_silent_is_given_up() {
        let silent = futures::stream::pending::<io::Result<Bytes>>();
        let mut body = Body::new(silent, false, 100, Duration::from_millis(20));
        assert!(matches!(body.next().await, Err(BodyError::Silent(_))));
    }

    proptest! {
        #[test]
        fn what_was_sent_is_what_is_read(data: Vec<u8>, cut in 1usize..40) {
            prop_assert_eq!(&read(&data, cut, false, 1 << 20).unwrap(), &data);
            prop_assert_eq!(&read(&gzipped(&data), cut, true, 1 << 20).unwrap(), &data);
        }
    }
}
