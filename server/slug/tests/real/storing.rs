//! What the store keeps, and that it never hands out anything else.

use std::{fs, io::Write, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use model::slug::Digest;
use object_store::{ObjectStoreExt, memory::InMemory, path::Path as Location};
use slug::{SlugError, SlugStore, digest_of};

struct Shelf {
    directory: tempfile::TempDir,
    store: SlugStore,
}

impl Shelf {
    fn local() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SlugStore::local(&directory.path().join("blobs")).unwrap();
        Self { directory, store }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self, content: &str) -> (Digest, std::path::PathBuf) {
        let path = self.path(content);
        fs::write(&path, content.repeat(1000)).unwrap();
        (digest_of(&path).unwrap(), path)
    }

    async fn get(&self, digest: &Digest) -> Result<std::path::PathBuf, SlugError> {
        self.store.image(digest, &self.path("cache")).await
    }
}

fn damage(path: &Path) {
    let mut content = fs::read(path).unwrap();
    content[7] ^= 1;
    fs::remove_file(path).unwrap();
    fs::File::create(path).unwrap().write_all(&content).unwrap();
}

#[tokio::test]
async fn an_image_that_was_put_again_since_it_was_seen_is_not_deleted() {
    let shelf = Shelf::local();
    let (digest, image) = shelf.image("again");
    shelf.store.put(&digest, &image).await.unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::open(&image).unwrap().set_modified(old).unwrap();
    let seen = shelf.store.find(&digest).await.unwrap().unwrap();
    shelf.store.put(&digest, &image).await.unwrap();
    assert!(!shelf.store.delete(&seen).await.unwrap());
    shelf.get(&digest).await.unwrap();
    let seen = shelf.store.find(&digest).await.unwrap().unwrap();
    assert!(shelf.store.delete(&seen).await.unwrap());
}

/// What is released later must be known to be later: times are kept in milliseconds.
#[tokio::test]
async fn the_millisecond_in_which_an_image_was_put_is_over_when_the_put_is() {
    let shelf = Shelf::local();
    let (digest, image) = shelf.image("now");
    for _ in 0..50 {
        shelf.store.put(&digest, &image).await.unwrap();
        let now = jiff::Timestamp::now();
        let put_at = shelf.store.find(&digest).await.unwrap().unwrap().put_at;
        assert!(put_at.as_millisecond() < now.as_millisecond());
    }
}

#[tokio::test]
async fn a_stored_image_is_the_very_same_file_and_is_listed() {
    let shelf = Shelf::local();
    let (digest, image) = shelf.image("one");
    shelf.store.put(&digest, &image).await.unwrap();
    shelf.store.put(&digest, &image).await.unwrap();

    let stored = shelf.get(&digest).await.unwrap();
    assert_eq!(fs::metadata(&stored).unwrap().ino(), fs::metadata(&image).unwrap().ino());
    let listed = shelf.store.list().await.unwrap();
    assert_eq!(listed, [shelf.store.find(&digest).await.unwrap().unwrap()]);
    assert_eq!((&listed[0].digest, listed[0].bytes), (&digest, 3000));

    assert!(shelf.store.delete(&listed[0]).await.unwrap());
    assert!(shelf.store.delete(&listed[0]).await.unwrap());
    assert_eq!(shelf.store.size(&digest).await.unwrap(), None);
    assert!(matches!(shelf.get(&digest).await, Err(SlugError::NotFound(_))));
}

#[tokio::test]
async fn an_image_under_a_wrong_name_is_not_stored() {
    let shelf = Shelf::local();
    let (digest, _) = shelf.image("one");
    let (_, other) = shelf.image("two");
    assert!(matches!(shelf.store.put(&digest, &other).await, Err(SlugError::Altered { .. })));
    assert_eq!(shelf.store.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_image_is_never_handed_out_and_mended_by_the_next_put() {
    let shelf = Shelf::local();
    let (digest, image) = shelf.image("one");
    shelf.store.put(&digest, &image).await.unwrap();
    let stored = shelf.get(&digest).await.unwrap();
    fs::rename(&image, shelf.path("kept")).unwrap();
    damage(&stored);

    assert!(matches!(shelf.get(&digest).await, Err(SlugError::Altered { .. })));
    let copy = shelf.path("copy");
    assert!(matches!(shelf.store.fetch_to(&digest, &copy).await, Err(SlugError::Altered { .. })));
    assert!(!copy.exists());

    shelf.store.put(&digest, &shelf.path("kept")).await.unwrap();
    assert_eq!(digest_of(&shelf.get(&digest).await.unwrap()).unwrap(), digest);
}

#[tokio::test]
async fn a_torn_image_is_refused_and_a_cut_off_upload_is_cleared_away() {
    let shelf = Shelf::local();
    let (digest, image) = shelf.image("one");
    shelf.store.put(&digest, &image).await.unwrap();
    let stored = shelf.get(&digest).await.unwrap();
    fs::File::options().write(true).open(&stored).unwrap().set_len(1500).unwrap();
    assert!(matches!(shelf.get(&digest).await, Err(SlugError::Altered { .. })));

    let rest = shelf.path(&format!("blobs/slugs/{digest}.squashfs#1"));
    fs::write(&rest, "half").unwrap();
    SlugStore::local(&shelf.path("blobs")).unwrap();
    assert!(!rest.exists() && stored.exists());
}

#[tokio::test]
async fn a_store_elsewhere_is_copied_from_once_and_again_when_the_copy_is_damaged() {
    let shelf = Shelf::local();
    let elsewhere = Arc::new(InMemory::new());
    let store = SlugStore::new(elsewhere.clone());
    let (digest, image) = shelf.image("one");
    let (_, other) = shelf.image("two");
    assert!(matches!(store.put(&digest, &other).await, Err(SlugError::Altered { .. })));
    assert_eq!(store.list().await.unwrap(), []);
    store.put(&digest, &image).await.unwrap();

    let cache = shelf.path("cache");
    let copy = store.image(&digest, &cache).await.unwrap();
    let inode = fs::metadata(&copy).unwrap().ino();
    assert_eq!(fs::metadata(store.image(&digest, &cache).await.unwrap()).unwrap().ino(), inode);
    damage(&copy);
    assert_eq!(digest_of(&store.image(&digest, &cache).await.unwrap()).unwrap(), digest);

    let location = Location::from(format!("slugs/{digest}.squashfs"));
    elsewhere.put(&location, "altered".into()).await.unwrap();
    fs::remove_file(&copy).unwrap();
    assert!(matches!(store.image(&digest, &cache).await, Err(SlugError::Altered { .. })));
    assert!(!copy.exists());
}
