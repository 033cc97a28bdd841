//! Images that come from somewhere else piece by piece: fetched once, resumed where they broke off, believed only with
//! the digest that was asked for.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use model::slug::Digest;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{SlugError, image::digest_of, store::sync};

/// How long the next piece may take.
const PIECE_WITHIN: Duration = Duration::from_secs(30);
/// How often a transfer is taken up again that broke off without a single byte.
const IN_VAIN_MAX: u32 = 5;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(500);

/// Where images come from.
#[async_trait]
pub trait Origin: Send + Sync + fmt::Debug {
    /// Begins to send an image from a place on; nothing if there is no such image.
    ///
    /// # Errors
    /// Whatever keeps it from being sent now.
    async fn open(&self, digest: &Digest, from: u64) -> io::Result<Option<Rest>>;
}

/// The rest of an image.
pub struct Rest {
    /// The size of the whole image, in bytes.
    pub whole: u64,
    /// The bytes from the place that was asked for.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// One that fetches an image while others wait for the same one.
#[derive(Debug, Default)]
pub(crate) struct Fetching(Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>);

impl Fetching {
    pub(crate) fn turn(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = turns.get(digest).and_then(Weak::upgrade).unwrap_or_default();
        turns.insert(digest.clone(), Arc::downgrade(&turn));
        turn
    }
}

/// Fetches an image to a file, whole or not at all; what came of it before is not fetched again.
pub(crate) async fn fetch(origin: &dyn Origin, digest: &Digest, path: &Path) -> Result<(), SlugError> {
    let part = path.with_extension("part");
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    fs::create_dir_all(&folder).map_err(SlugError::file("create", &folder))?;
    let mut in_vain = 0;
    loop {
        let before = size(&part);
        match append(origin, digest, &part, before).await {
            Ok(true) => break,
            Ok(false) => return Err(SlugError::NotFound(digest.clone())),
            Err(error) => {
                in_vain = if size(&part) > before { 0 } else { in_vain + 1 };
                if in_vain >= IN_VAIN_MAX {
                    return Err(SlugError::file("fetch", path)(error));
                }
                tracing::warn!(%error, digest = digest.short(), "a slug is fetched from where it broke off");
                tokio::time::sleep(PAUSE * in_vain).await;
            }
        }
    }
    let (digest, path) = (digest.clone(), path.to_owned());
    let finish = move || {
        let found = digest_of(&part).map_err(SlugError::file("read", &part))?;
        if found != digest {
            fs::remove_file(&part).map_err(SlugError::file("remove", &part))?;
            return Err(SlugError::Altered { wanted: digest, found });
        }
        let synced = File::open(&part).and_then(|file| file.sync_all());
        synced.and_then(|()| fs::rename(&part, &path)).map_err(SlugError::file("write", &path))?;
        sync(&folder)
    };
    spawn_blocking(finish).await.map_err(|error| lost(&error))?
}

fn lost(error: &tokio::task::JoinError) -> SlugError {
    SlugError::file("finish", "work on an image")(io::Error::other(error.to_string()))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |facts| facts.len())
}

/// Adds what is missing. Returns whether there is such an image.
async fn append(origin: &dyn Origin, digest: &Digest, part: &Path, from: u64) -> io::Result<bool> {
    let Some(Rest { whole, mut bytes }) = timeout(PIECE_WITHIN, origin.open(digest, from)).await?? else {
        return Ok(false);
    };
    let mut file = OpenOptions::new().create(true).append(true).open(part)?;
    let mut written = from;
    while written < whole {
        let piece = timeout(PIECE_WITHIN, bytes.next()).await?;
        let piece = piece.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))??;
        written += piece.len() as u64;
        if written > whole {
            drop(file);
            fs::remove_file(part)?;
            return Err(io::Error::other("the image is longer than it was said to be"));
        }
        let wrote = spawn_blocking(move || file.write_all(&piece).map(|()| file));
        file = wrote.await.map_err(io::Error::other)??;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Breaks off after so many bytes each time.
    #[derive(Debug)]
    struct Breaks {
        image: Vec<u8>,
        after: usize,
        asked: Mutex<Vec<u64>>,
        sent: AtomicU64,
    }

    #[async_trait]
    impl Origin for Breaks {
        async fn open(&self, _: &Digest, from: u64) -> io::Result<Option<Rest>> {
            self.asked.lock().unwrap().push(from);
            let from = usize::try_from(from).unwrap();
            let end = (from + self.after).min(self.image.len());
            let piece = Bytes::copy_from_slice(&self.image[from..end]);
            self.sent.fetch_add(piece.len() as u64, Relaxed);
            let broken = Err(io::Error::from(io::ErrorKind::ConnectionReset));
            let bytes = futures::stream::iter([Ok(piece), broken]).boxed();
            Ok(Some(Rest { whole: self.image.len() as u64, bytes }))
        }
    }

    fn breaks(after: usize) -> (Breaks, Digest) {
        let image: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let digest = hex::encode(Sha256::digest(&image)).parse().unwrap();
        (Breaks { image, after, asked: Mutex::default(), sent: AtomicU64::new(0) }, digest)
    }

    #[tokio::test]
    async fn what_broke_off_goes_on_where_it_was_and_nothing_is_sent_twice() {
        let (dir, (origin, digest)) = (tempfile::tempdir().unwrap(), breaks(30_000));
        let path = dir.path().join("image.squashfs");
        fetch(&origin, &digest, &path).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), origin.image);
        assert_eq!(*origin.asked.lock().unwrap(), [0, 30_000, 60_000, 90_000]);
        assert_eq!(origin.sent.load(Relaxed), 100_000);
    }

    #[tokio::test]
    async fn what_has_another_digest_is_not_kept() {
        let (dir, (origin, _)) = (tempfile::tempdir().unwrap(), breaks(200_000));
        let path = dir.path().join("image.squashfs");
        let other: Digest = "ab".repeat(32).parse().unwrap();
        let error = fetch(&origin, &other, &path).await.unwrap_err();
        assert!(matches!(error, SlugError::Altered { .. }), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn however_many_want_an_image_at_once_it_is_sent_once() {
        let (dir, (origin, digest)) = (tempfile::tempdir().unwrap(), breaks(200_000));
        let origin = Arc::new(origin);
        let store = crate::SlugStore::elsewhere(origin.clone()).bounded(1);
        let images = (0..20).map(|_| store.image(&digest, dir.path()));
        let images = futures::future::join_all(images).await;
        assert!(images.iter().all(|image| image.as_ref().is_ok_and(|path| path.exists())), "{images:?}");
        assert_eq!(*origin.asked.lock().unwrap(), [0]);
        store.trim(dir.path(), &BTreeSet::new()).await;
        assert!(images[0].as_ref().unwrap().exists(), "it came just now");
    }
}
