//! A build's output as a stream that goes as fast as its reader: it comes from the file, and nothing is kept in memory
//! for whoever reads slowly.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use model::id::BuildId;
use tokio_util::io::ReaderStream;

use super::follow::{LOOK, has_ended, log_path, read_at, running_log};
use crate::platform::Platform;

/// Returns a build's output from the beginning: with `follow` until the build ends, otherwise what there is now. An
/// error ends it: the file cannot be read.
pub fn output(
    platform: Arc<Platform>,
    id: BuildId,
    follow: bool,
) -> impl Stream<Item = anyhow::Result<Bytes>> + Send + 'static {
    let begin = async move {
        let running = if follow { running_log(&platform, id).await? } else { None };
        let chunks = match running {
            Some(log) => build::follow(&log, 0).boxed(),
            None if follow => elsewhere(platform, id).boxed(),
            None => present(&log_path(&platform, id)).await?,
        };
        Ok::<_, anyhow::Error>(chunks.map(|chunk| chunk.context("the output of a build cannot be read")))
    };
    stream::once(begin).try_flatten()
}

/// Gives out what another server's build writes until it ends.
fn elsewhere(platform: Arc<Platform>, id: BuildId) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((platform, 0), move |(platform, from)| async move {
        let (path, mut changes) = (log_path(&platform, id), platform.changes());
        loop {
            let ended = has_ended(&platform, id).await.map_err(io::Error::other)?;
            let chunk = read_at(&path, from).await?;
            if !chunk.is_empty() {
                let next = from + chunk.len() as u64;
                return Ok(Some((chunk, (platform, next))));
            }
            if ended {
                return Ok(None);
            }
            let _ = tokio::time::timeout(LOOK, changes.signalled()).await;
        }
    })
}

/// A build that did not begin has written nothing.
async fn present(log: &Path) -> anyhow::Result<BoxStream<'static, io::Result<Bytes>>> {
    match tokio::fs::File::open(log).await {
        Ok(file) => Ok(ReaderStream::new(file).boxed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(stream::empty().boxed()),
        Err(error) => Err(error).context("the output of a build cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_comes_in_pieces_and_one_that_is_not_there_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(present(&log).await.unwrap().count().await, 0);
        let written: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        std::fs::write(&log, &written).unwrap();
        let pieces: Vec<Bytes> = present(&log).await.unwrap().try_collect().await.unwrap();
        assert!(pieces.iter().all(|piece| piece.len() < written.len()));
        assert_eq!(pieces.concat(), written);
        assert!(present(dir.path()).await.unwrap().try_collect::<Vec<_>>().await.is_err(), "no file");
    }
}
