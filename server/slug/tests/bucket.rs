//! A bucket, as a real server of that protocol has it (moto, over HTTP), behind a line that is slow, breaks and is refused.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed unwrap is a failed test")]

#[path = "../../../testkit/address.rs"]
mod address;
mod line;
mod moto;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use line::{Fault, Line};
use model::slug::Digest;
use moto::Bucket;
use slug::{BlobPlace, SlugError, SlugStore, digest_of};

fn open(place: &str, endpoint: SocketAddr) -> SlugStore {
    let place: BlobPlace = place.parse().unwrap();
    let variables = [
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://{endpoint}")),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    SlugStore::open(&place, variables).unwrap()
}

/// An image of so many bytes that no compression makes smaller.
fn image(dir: &Path, bytes: usize) -> (Digest, PathBuf) {
    let path = dir.join(format!("image-{bytes}"));
    let mut content = vec![0; bytes];
    getrandom::fill(&mut content).unwrap();
    fs::write(&path, content).unwrap();
    (digest_of(&path).unwrap(), path)
}

#[tokio::test]
async fn images_are_put_found_fetched_listed_and_removed_in_a_bucket() {
    let Some(bucket) = Bucket::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open("s3://blobs/here", bucket.address), open("s3://blobs/there", bucket.address));
    one.try_out().await.unwrap();
    // More than one piece goes over the wire.
    for bytes in [0, 1000, (8 << 20) + 1, 20 << 20] {
        let (digest, path) = image(dir.path(), bytes);
        assert_eq!(one.find(&digest).await.unwrap(), None);
        one.put(&digest, &path).await.unwrap();
        assert_eq!(one.size(&digest).await.unwrap(), Some(bytes as u64));
        let fetched = one.image(&digest, &dir.path().join("cache")).await.unwrap();
        assert_eq!(fs::read(fetched).unwrap(), fs::read(&path).unwrap());
        assert_eq!(other.find(&digest).await.unwrap(), None, "a prefix is its own");
    }
    let images = one.list().await.unwrap();
    assert_eq!(images.len(), 4);
    for image in images {
        assert!(one.delete(&image).await.unwrap());
        assert!(one.delete(&image).await.unwrap(), "once more");
    }
    assert_eq!(one.list().await.unwrap(), []);
    assert!(matches!(
        one.fetch_to(&"0".repeat(64).parse().unwrap(), &dir.path().join("x")).await,
        Err(SlugError::NotFound(_))
    ));
}

#[tokio::test]
async fn a_line_that_is_slow_or_breaks_and_a_server_that_is_busy_are_made_up_for() {
    let Some(bucket) = Bucket::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (digest, path) = image(dir.path(), 20 << 20);
    let faults = [Fault::Slow, Fault::Busy(3), Fault::CutAnswers(2), Fault::CutRequests(2)];
    for (number, fault) in faults.into_iter().enumerate() {
        let line = Line::to(bucket.address);
        let store = open(&format!("s3://blobs/{number}"), line.address);
        line.set(fault);
        store.put(&digest, &path).await.unwrap_or_else(|error| panic!("{fault:?}: {}", told(&error)));
        line.set(fault);
        let cache = dir.path().join(format!("cache-{number}"));
        let fetched = store.image(&digest, &cache).await;
        let fetched = fetched.unwrap_or_else(|error| panic!("{fault:?}: {}", told(&error)));
        assert_eq!(fs::read(fetched).unwrap(), fs::read(&path).unwrap());
        assert!(line.faults() > 0, "{fault:?}: nothing was wrong with the line");
    }
}

#[tokio::test]
async fn what_does_not_get_better_is_said_in_a_sentence_without_keys() {
    let Some(bucket) = Bucket::start() else { return };
    let missing = open("s3://nowhere", bucket.address).try_out().await.unwrap_err();
    assert!(told(&missing).contains("there is no such bucket"), "{}", told(&missing));
    let line = Line::to(bucket.address);
    line.set(Fault::Refused);
    let refused = open("s3://blobs", line.address).try_out().await.unwrap_err();
    let text = told(&refused);
    assert!(text.contains("refuses the credentials (SignatureDoesNotMatch)"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains('<'), "{text}");
    assert!(refused.is_final() && missing.is_final());
    let free = address::reserve();
    let store = open("s3://blobs", free);
    let away = tokio::time::timeout(Duration::from_secs(120), store.try_out());
    let away = away.await.unwrap().unwrap_err();
    assert!(
        told(&away).contains("cannot be reached") || told(&away).contains("did not answer"),
        "{}",
        told(&away)
    );
    assert!(!away.is_final());
}

fn told(error: &SlugError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
