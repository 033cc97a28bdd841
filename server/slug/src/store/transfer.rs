//! Bytes of images to a store elsewhere and from there: piece by piece, a piece again that did not come, and never a file
//! that has another digest than it should.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use model::slug::Digest;
use object_store::{ObjectStoreExt, WriteMultipart};
use sha2::{Digest as _, Sha256};

use super::{SlugStore, blocking, failed, folder::sync, location};
use crate::{SlugError, image::finish};

/// What goes over the wire in one piece, in bytes.
const PIECE: usize = 8 << 20;
/// How many pieces may be on their way.
const PIECES: usize = 4;
/// The longest wait before something is tried once more; each is four times the one before.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);

impl SlugStore {
    pub(super) async fn upload(&self, digest: &Digest, image: &Path) -> Result<(), SlugError> {
        let upload = self.store.put_multipart(&location(digest)).await.map_err(failed("store", digest))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let mut file = File::open(image).map_err(SlugError::file("read", image))?;
        let mut hash = Sha256::new();
        loop {
            upload.wait_for_capacity(PIECES).await.map_err(failed("store", digest))?;
            let read;
            (read, file, hash) = blocking_read(file, hash, image).await?;
            if read.is_empty() {
                break;
            }
            upload.put(read.into());
        }
        let found = finish(hash);
        if found != *digest {
            upload.abort().await.map_err(failed("store", digest))?;
            return Err(SlugError::Altered { wanted: digest.clone(), found });
        }
        upload.finish().await.map(drop).map_err(failed("store", digest))
    }

    /// Reads an image piece by piece; a piece that does not come is asked for again.
    fn pieces(&self, digest: &Digest, bytes: u64) -> impl Stream<Item = Result<Bytes, SlugError>> {
        let place = location(digest);
        let starts = (0..bytes).step_by(PIECE);
        let piece = move |start: u64| {
            let (store, place, digest) = (self.store.clone(), place.clone(), digest.clone());
            async move {
                let range = start..bytes.min(start + PIECE as u64);
                again(|| async {
                    store.get_range(&place, range.clone()).await.map_err(failed("fetch", &digest))
                })
                .await
            }
        };
        stream::iter(starts).map(piece).buffered(2)
    }

    pub(super) async fn download(&self, digest: &Digest, path: &Path) -> Result<(), SlugError> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        fs::create_dir_all(&folder).map_err(SlugError::file("create", &folder))?;
        let found = self.find(digest).await?.ok_or_else(|| SlugError::NotFound(digest.clone()))?;
        let mut beside =
            tempfile::NamedTempFile::new_in(&folder).map_err(SlugError::file("write", &folder))?;
        let mut hash = Sha256::new();
        let mut pieces = std::pin::pin!(self.pieces(digest, found.bytes));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            (beside, hash) = blocking(move || {
                hash.update(&piece);
                beside.write_all(&piece).map_err(SlugError::file("write", beside.path()))?;
                Ok((beside, hash))
            })
            .await?;
        }
        let found = finish(hash);
        if found != *digest {
            return Err(SlugError::Altered { wanted: digest.clone(), found });
        }
        let path = path.to_owned();
        blocking(move || {
            beside.as_file().sync_all().map_err(SlugError::file("write", beside.path()))?;
            beside.persist(&path).map_err(|error| SlugError::file("write", &path)(error.error))?;
            sync(&folder)
        })
        .await
    }
}

/// Reads and hashes the next piece of a file.
async fn blocking_read(
    mut file: File,
    mut hash: Sha256,
    image: &Path,
) -> Result<(Vec<u8>, File, Sha256), SlugError> {
    let image = image.to_owned();
    blocking(move || {
        let mut piece = Vec::new();
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
        read.map_err(SlugError::file("read", image))?;
        hash.update(&piece);
        Ok((piece, file, hash))
    })
    .await
}

/// Tries something up to three times: what the client of the store cannot repeat by itself, such as a transfer that was cut
/// in the middle.
pub(super) async fn again<T, F: Future<Output = Result<T, SlugError>>>(
    attempt: impl Fn() -> F,
) -> Result<T, SlugError> {
    let mut wait = Duration::from_millis(200);
    loop {
        match attempt().await {
            Err(error @ SlugError::Store { .. }) if !error.is_final() && wait < AGAIN_WITHIN => {
                tracing::warn!(%error, "it is tried again");
                tokio::time::sleep(wait).await;
                wait *= 4;
            }
            done => return done,
        }
    }
}
