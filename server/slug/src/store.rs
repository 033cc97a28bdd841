//! Keeps images by their digest in the blob store, and hands them out only whole.
//!
//! What `put` acknowledged is on disk. What is handed out was read and found to have its digest.

pub(crate) mod bucket;
mod copies;
mod folder;
mod transfer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::TryStreamExt;
use jiff::Timestamp;
use model::slug::Digest;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as Location};
use tokio::{task::spawn_blocking, time::timeout};

pub(crate) use bucket::is_final;
pub use bucket::reason as store_reason;
pub use copies::Reach;
pub(crate) use folder::sync;
use transfer::again;

use crate::{
    BlobPlace, SlugError,
    image::Intact,
    origin::{self, Fetching, Origin},
};

/// Where slugs lie in the blob store.
const FOLDER: &str = "slugs";
const SUFFIX: &str = ".squashfs";
/// How long a question to the store may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long is waited for a store that is tried out.
const TRY_WITHIN: Duration = Duration::from_secs(45);
/// How many bytes of copies are kept unless somebody says otherwise.
const COPIES_BYTES: u64 = 10_000_000_000;
/// How long a transfer may take.
const TRANSFER_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How old the upload of an image may be that is not repeated, where the store is elsewhere: it stays long enough for
/// the release that follows.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// When it was last put there, to the millisecond below.
    pub put_at: Timestamp,
}

/// The slugs in a blob store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SlugStore {
    store: Arc<dyn ObjectStore>,
    /// The folder itself, where the store is a directory of this host.
    local: Option<PathBuf>,
    /// Where images come from instead.
    origin: Option<Arc<dyn Origin>>,
    /// How many bytes of copies are kept, where the store is elsewhere.
    copies_bytes: u64,
    reach: Option<Arc<dyn Reach>>,
    fetching: Arc<Fetching>,
    intact: Arc<Intact>,
    /// Held while an image is put or removed, so that none is removed that was just put again.
    changing: Arc<Mutex<()>>,
}

impl SlugStore {
    /// Opens the store at a place; `variables` are those of the environment, which say how a bucket is reached.
    pub fn open(
        place: &BlobPlace,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SlugError> {
        match place {
            BlobPlace::Directory(root) => Self::local(root),
            place @ BlobPlace::S3 { .. } => Ok(Self::new(place.open(variables)?)),
        }
    }

    /// Looks whether the store answers and takes our word.
    pub async fn try_out(&self) -> Result<(), SlugError> {
        let folder = Location::from(FOLDER);
        let first =
            async { self.store.list(Some(&folder)).try_next().await.map_err(SlugError::StoreUnreadable) };
        within(TRY_WITHIN, first).await.map(drop)
    }

    /// Opens the store in a directory of this host, which is made. Removes what uploads cut off by a
    /// crash left.
    pub fn local(root: &Path) -> Result<Self, SlugError> {
        let opened = Self::beside(root)?;
        let folder = root.join(FOLDER);
        for entry in fs::read_dir(&folder).map_err(SlugError::file("read", &folder))?.flatten() {
            if entry.file_name().to_string_lossy().contains('#') {
                fs::remove_file(entry.path()).map_err(SlugError::file("remove", entry.path()))?;
            }
        }
        Ok(opened)
    }

    /// Opens the store in a directory of this host beside the server that has it: leaves what is not finished.
    pub fn beside(root: &Path) -> Result<Self, SlugError> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).map_err(SlugError::file("create", &folder))?;
        let folder = folder.canonicalize().map_err(SlugError::file("find", &folder))?;
        let store = BlobPlace::Directory(root.to_owned()).open([])?;
        Ok(Self { local: Some(folder), ..Self::new(store) })
    }

    /// Uses a store elsewhere.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        let (intact, changing, fetching) = Default::default();
        let (local, origin, reach) = (None, None, None);
        Self { store, local, origin, copies_bytes: COPIES_BYTES, reach, fetching, intact, changing }
    }

    /// Has no images of its own and fetches those that are needed.
    pub fn elsewhere(origin: Arc<dyn Origin>) -> Self {
        Self { origin: Some(origin), ..Self::new(Arc::new(object_store::memory::InMemory::new())) }
    }

    /// Tells whether images have to be fetched before they can be used.
    pub fn is_elsewhere(&self) -> bool {
        self.local.is_none()
    }

    /// Stores an image just packed unless it is there whole, and notes that it was put there now.
    ///
    /// Where the store is a directory on the same file system the file gets a second name and no byte
    /// is copied, so it must not be written any more.
    pub async fn put(&self, digest: &Digest, image: &Path) -> Result<(), SlugError> {
        if let Some(folder) = &self.local {
            let (this, digest, image) = (self.clone(), digest.clone(), image.to_owned());
            let target = folder.join(name(&digest));
            if blocking(move || this.link(&digest, &image, &target)).await? {
                return Ok(());
            }
        } else if self.find(digest).await?.is_some_and(|image| is_fresh(image.put_at)) {
            return Ok(());
        }
        within(TRANSFER_WITHIN, again(|| self.upload(digest, image))).await
    }

    /// Returns the size of an image in bytes, or nothing if it is not there.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>, SlugError> {
        Ok(self.find(digest).await?.map(|image| image.bytes))
    }

    /// Returns what the store knows of an image, or nothing if it is not there.
    pub async fn find(&self, digest: &Digest) -> Result<Option<StoredImage>, SlugError> {
        within(ANSWER_WITHIN, async {
            match self.store.head(&location(digest)).await {
                Ok(facts) => Ok(Some(stored(digest.clone(), &facts))),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(failed("find", digest)(source)),
            }
        })
        .await
    }

    /// Returns all images.
    pub async fn list(&self) -> Result<Vec<StoredImage>, SlugError> {
        let folder = Location::from(FOLDER);
        let images = self.store.list(Some(&folder)).try_filter_map(async |facts| {
            let digest = facts.location.filename().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            Ok(digest.map(|digest| stored(digest, &facts)))
        });
        within(TRANSFER_WITHIN, async { images.try_collect().await.map_err(SlugError::StoreUnreadable) })
            .await
    }

    /// Deletes an image unless it was put again since it was seen. Returns whether it is gone. What it is mounted for
    /// keeps it until it is unmounted. May be repeated.
    pub async fn delete(&self, seen: &StoredImage) -> Result<bool, SlugError> {
        if let Some(folder) = &self.local {
            let (this, seen, path) = (self.clone(), seen.clone(), folder.join(name(&seen.digest)));
            return blocking(move || this.unlink(&seen, &path)).await;
        }
        let digest = &seen.digest;
        if self.find(digest).await?.is_some_and(|image| image.put_at != seen.put_at) {
            return Ok(false);
        }
        within(ANSWER_WITHIN, async {
            match self.store.delete(&location(digest)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
                Err(source) => Err(failed("delete", digest)(source)),
            }
        })
        .await
    }

    /// Copies an image to a file of this host, whole or not at all.
    pub async fn fetch_to(&self, digest: &Digest, path: &Path) -> Result<(), SlugError> {
        match &self.origin {
            Some(origin) => within(TRANSFER_WITHIN, origin::fetch(origin.as_ref(), digest, path)).await,
            None => within(TRANSFER_WITHIN, self.download(digest, path)).await,
        }
    }

    /// Returns a file of this host that was found to be the image: the store's own where it is a
    /// directory here, else one in `cache`, which is fetched if need be.
    ///
    /// A file is read once by this process and again only when it changes.
    pub async fn image(&self, digest: &Digest, cache: &Path) -> Result<PathBuf, SlugError> {
        let path = self.local.as_deref().unwrap_or(cache).join(name(digest));
        // However many start at once, it is fetched once.
        let turn = self.fetching.turn(digest);
        let _turn = if self.local.is_none() { Some(turn.lock().await) } else { None };
        if !path.exists() {
            if self.local.is_some() {
                return Err(SlugError::NotFound(digest.clone()));
            }
            self.fetch_to(digest, &path).await?;
        }
        match self.check(digest, &path).await {
            // A copy can be had again.
            Err(SlugError::Altered { .. }) if self.local.is_none() => {
                self.fetch_to(digest, &path).await?;
                self.check(digest, &path).await?;
            }
            checked => checked?,
        }
        Ok(path)
    }

    async fn check(&self, digest: &Digest, path: &Path) -> Result<(), SlugError> {
        let (intact, digest, path) = (self.intact.clone(), digest.clone(), path.to_owned());
        blocking(move || intact.check(&digest, &path)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SlugError> + Send + 'static,
) -> Result<T, SlugError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(SlugError::file("finish", "work on an image")(io::Error::other(error))),
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SlugError>>,
) -> Result<T, SlugError> {
    timeout(limit, work).await.unwrap_or(Err(SlugError::StoreSilent(limit)))
}

fn stored(digest: Digest, facts: &object_store::ObjectMeta) -> StoredImage {
    let put_at =
        Timestamp::from_millisecond(facts.last_modified.timestamp_millis()).unwrap_or(Timestamp::MAX);
    StoredImage { digest, bytes: facts.size, put_at }
}

/// What was put there in the future is as good as new.
fn is_fresh(put_at: Timestamp) -> bool {
    Timestamp::now().duration_since(put_at) < FRESH.try_into().unwrap_or(jiff::SignedDuration::MAX)
}

fn failed(verb: &'static str, digest: &Digest) -> impl FnOnce(object_store::Error) -> SlugError {
    let digest = digest.clone();
    move |cause| SlugError::Store { verb, digest, cause }
}

fn name(digest: &Digest) -> String {
    format!("{digest}{SUFFIX}")
}

fn location(digest: &Digest) -> Location {
    Location::from_iter([FOLDER, &name(digest)])
}
