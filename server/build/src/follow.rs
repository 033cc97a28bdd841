//! Reads a build's log while it grows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use futures::stream::{self, Stream};

use crate::BuildLog;

/// Most bytes that one item of the stream has.
const CHUNK_MAX: u64 = 64 * 1024;

/// Returns the log from an offset in bytes on, as it comes, until the build's end.
///
/// A reader who is slow holds up no one: the log is a file, and nothing is kept for him.
pub fn follow(log: &BuildLog, from: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = (log.path().to_owned(), None::<File>, from, log.progress());
    stream::unfold(start, |(path, file, offset, mut progress)| async move {
        let bytes = loop {
            let now = *progress.borrow_and_update();
            if offset < now.bytes {
                break now.bytes.min(offset + CHUNK_MAX) - offset;
            }
            if now.ended || progress.changed().await.is_err() {
                return None;
            }
        };
        let read = (|| {
            let file = file.map_or_else(|| File::open(&path), Ok)?;
            let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut buffer, offset)?;
            Ok((file, Bytes::from(buffer)))
        })();
        match read {
            Ok((file, chunk)) => Some((Ok(chunk), (path, Some(file), offset + bytes, progress))),
            // An offset beyond every log ends the stream after the error.
            Err(error) => Some((Err(error), (path, None, u64::MAX, progress))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use model::config::ConfigVars;

    #[tokio::test]
    async fn followers_get_the_same_bytes_from_any_offset_until_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = BuildLog::open(&dir.path().join("log"), &ConfigVars::default()).unwrap();
        log.step("one");
        let early = tokio::spawn(all(follow(&log, 0)));
        let late = tokio::spawn(all(follow(&log, 7)));
        log.output(b"caf\xe9 \x1b[1m");
        log.detail("two");
        log.end();
        let expected = b"-----> one\ncaf\xe9 \x1b[1m\n       two\n".to_vec();
        assert_eq!(early.await.unwrap(), expected);
        assert_eq!(late.await.unwrap(), expected[7..]);
    }

    async fn all(log: impl Stream<Item = io::Result<Bytes>>) -> Vec<u8> {
        let chunks: Vec<Bytes> = log.map(Result::unwrap).collect().await;
        chunks.concat()
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_the_platform_still_has_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let log = BuildLog::open(&dir.path().join("log"), &ConfigVars::default()).unwrap();
        for _ in 0..1200 {
            log.output(&[b"0123456789abcde\n".as_slice(); 640].concat());
        }
        log.warn("the end");
        log.end();
        let text = String::from_utf8(all(follow(&log, 0)).await).unwrap();
        assert!(text.len() < 10_600_000, "{}", text.len());
        let tail: Vec<_> = text.lines().rev().take(2).collect();
        assert_eq!(tail, [" !     the end", "0123456789abcde"]);
        assert!(text.contains(" bytes of output are left out here\n"));
    }
}
