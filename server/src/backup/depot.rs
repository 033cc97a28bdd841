//! Where backups are kept: a directory, or a bucket of S3 or of what speaks its protocol.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use model::wording;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use sha2::{Digest as _, Sha256};
use slug::BlobPlace;

use super::Progress;

/// What names of backups end in.
const ENDING: &str = ".tar.zst";

/// How a backup is named by the time at which it is made.
const NAMED: &str = "paas-%Y-%m-%dT%H%M%SZ.tar.zst";

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What goes over the wire in one piece, in bytes, and how many of them at once.
const PIECE: usize = 8 << 20;
const PIECES: usize = 4;

/// How often a piece is asked for, and how long is waited in between.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// A place for backups.
pub(crate) enum Depot {
    /// A directory.
    Directory(PathBuf),
    /// A bucket.
    Bucket {
        /// Where, as people write it.
        place: BlobPlace,
        /// What is there.
        store: Arc<dyn ObjectStore>,
    },
}

impl Depot {
    /// Opens a place, and returns the name of the backup in it if one is meant: in a bucket that is what ends like one.
    ///
    /// # Errors
    /// No bucket can be opened with what the environment says.
    pub(crate) fn open(place: &BlobPlace) -> anyhow::Result<(Self, Option<String>)> {
        let (place, name) = match place {
            BlobPlace::Directory(path) if path.is_dir() => return Ok((Self::Directory(path.clone()), None)),
            BlobPlace::Directory(path) => {
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.with_context(|| format!("{} names no file", path.display()))?;
                let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
                return Ok((Self::Directory(dir.to_owned()), Some(name.to_owned())));
            }
            BlobPlace::S3 { bucket, prefix } if prefix.ends_with(ENDING) => {
                let (prefix, name) = prefix.rsplit_once('/').unwrap_or(("", prefix));
                let place = BlobPlace::S3 { bucket: bucket.clone(), prefix: prefix.to_owned() };
                (place, Some(name.to_owned()))
            }
            place @ BlobPlace::S3 { .. } => (place.clone(), None),
        };
        let store = place.open(std::env::vars())?;
        Ok((Self::Bucket { place, store }, name))
    }

    /// Returns the bucket.
    ///
    /// # Errors
    /// It is a directory, to which nothing has to be brought.
    fn store(&self) -> anyhow::Result<&Arc<dyn ObjectStore>> {
        match self {
            Self::Bucket { store, .. } => Ok(store),
            Self::Directory(dir) => bail!("{} is no bucket", dir.display()),
        }
    }

    /// Returns where a backup of this name is, as people write it.
    pub(super) fn shown(&self, name: &str) -> String {
        match self {
            Self::Directory(dir) => {
                let path = dir.join(name);
                std::path::absolute(&path).unwrap_or(path).display().to_string()
            }
            Self::Bucket { place, .. } => format!("{place}/{name}"),
        }
    }

    /// Returns the backups that are named by the time, oldest first.
    ///
    /// # Errors
    /// The place cannot be read.
    pub(crate) async fn names(&self) -> anyhow::Result<Vec<String>> {
        let mut names: Vec<String> = match self {
            Self::Directory(dir) => {
                let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
            Self::Bucket { place, store } => {
                let list = store.list_with_delimiter(None).await;
                let list = list.map_err(refused("read", place))?;
                list.objects
                    .iter()
                    .filter_map(|object| Some(object.location.filename()?.to_owned()))
                    .collect()
            }
        };
        names.retain(|name| time_of(name).is_some());
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the name of a backup that is made at this time: of two in one second the next one's is taken by the other.
    ///
    /// # Errors
    /// The place cannot be read.
    pub(super) async fn next_name(&self, mut time: Timestamp) -> anyhow::Result<String> {
        let names = self.names().await?;
        loop {
            let name = time.strftime(NAMED).to_string();
            if !names.contains(&name) {
                return Ok(name);
            }
            time += SECOND;
        }
    }

    /// Removes all that are named by the time but the newest so many.
    ///
    /// # Errors
    /// The place cannot be read, or one cannot be removed.
    pub(super) async fn keep(&self, newest: usize) -> anyhow::Result<()> {
        let names = self.names().await?;
        for name in &names[..names.len().saturating_sub(newest)] {
            let removed = match self {
                Self::Directory(dir) => fs::remove_file(dir.join(name)).map_err(anyhow::Error::from),
                Self::Bucket { store, .. } => {
                    let removed = store.delete(&Key::from(name.as_str())).await;
                    removed.map_err(refused("remove", self.shown(name)))
                }
            };
            removed.with_context(|| format!("{} is kept", self.shown(name)))?;
        }
        Ok(())
    }

    /// Brings a file to a bucket under a name that is not there yet, and reads it back.
    ///
    /// # Errors
    /// There is one of this name, or the bucket does not take it, or it is another when it is read back.
    pub(super) async fn upload(&self, name: &str, file: File, progress: &mut Progress) -> anyhow::Result<()> {
        let store = self.store()?;
        let (key, shown) = (Key::from(name), self.shown(name));
        if store.head(&key).await.is_ok() {
            bail!("there is a backup {shown} already");
        }
        progress.part(format!("bringing it to {shown}"));
        let upload = store.put_multipart(&key).await.map_err(refused("write", &shown))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let mut reader = progress.reading(BufReader::new(file));
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        loop {
            upload.wait_for_capacity(PIECES).await.map_err(refused("write", &shown))?;
            let mut piece = Vec::new();
            (&mut reader).take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            hash.update(&piece);
            bytes += piece.len() as u64;
            upload.put(piece.into());
        }
        upload.finish().await.map_err(refused("write", &shown))?;
        progress.part("reading it back from there");
        let mut there = Sha256::new();
        self.pieces(&key, bytes, |piece| {
            there.update(piece);
            Ok(())
        })
        .await?;
        if there.finalize() != hash.finalize() {
            bail!("{shown} is not what was written there");
        }
        Ok(())
    }

    /// Returns the backup of this name, as a file of which nothing is left when it is closed; the directory is one with room.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(super) async fn fetch(
        &self,
        name: &str,
        dir: &Path,
        progress: &mut Progress,
    ) -> anyhow::Result<File> {
        let shown = self.shown(name);
        let (key, store) = match self {
            Self::Directory(place) => {
                return File::open(place.join(name)).with_context(|| format!("cannot open {shown}"));
            }
            Self::Bucket { store, .. } => (Key::from(name), store),
        };
        let bytes = store.head(&key).await.map_err(refused("read", &shown))?.size;
        let room = crate::disk::Room::at(dir)?.free_bytes;
        if room < bytes {
            let (needs, has) = (wording::bytes(bytes), wording::bytes(room));
            bail!("{shown} has {needs}, and there are {has} free at {}", dir.display());
        }
        let mut file =
            tempfile::tempfile_in(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        self.copy(name, &mut file, progress).await?;
        file.rewind()?;
        Ok(file)
    }

    /// Copies what has this name in a bucket into a file.
    ///
    /// # Errors
    /// There is nothing of this name, or it cannot be read or written.
    pub(crate) async fn copy(
        &self,
        name: &str,
        to: &mut File,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let store = self.store()?;
        let (key, shown) = (Key::from(name), self.shown(name));
        let bytes = store.head(&key).await.map_err(refused("read", &shown))?.size;
        progress.part(format!("fetching {shown}"));
        self.pieces(&key, bytes, |piece| Ok(to.write_all(piece)?)).await
    }

    /// Reads an object piece by piece; a piece that does not come is asked for again.
    async fn pieces(
        &self,
        key: &Key,
        bytes: u64,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let store = self.store()?;
        for start in (0..bytes).step_by(PIECE) {
            let range = start..bytes.min(start + PIECE as u64);
            let mut left = ATTEMPTS;
            let piece = loop {
                left -= 1;
                match store.get_range(key, range.clone()).await {
                    Ok(piece) => break piece,
                    Err(error) if left == 0 => return Err(refused("read", key)(error)),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            };
            each(&piece)?;
        }
        Ok(())
    }
}

/// Returns what says of an answer of a bucket what was tried; what it said in full may hold keys.
fn refused(verb: &'static str, what: impl Display) -> impl FnOnce(object_store::Error) -> anyhow::Error {
    move |error| anyhow!("cannot {verb} {what}: {}", slug::store_reason(&error))
}

/// Returns the time by which a backup is named.
pub(super) fn time_of(name: &str) -> Option<Timestamp> {
    DateTime::strptime(NAMED, name).ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (String, Option<String>) {
        let (depot, name) = Depot::open(&text.parse().unwrap()).unwrap();
        (depot.shown("x"), name)
    }

    #[test]
    fn what_ends_like_a_backup_is_one_and_all_else_is_a_place_for_them() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(place("s3://b/backups"), ("s3://b/backups/x".into(), None));
        assert_eq!(place("s3://b"), ("s3://b/x".into(), None));
        assert_eq!(place("s3://b/a/mine.tar.zst"), ("s3://b/a/x".into(), some("mine.tar.zst")));
        assert_eq!(place("s3://b/mine.tar.zst"), ("s3://b/x".into(), some("mine.tar.zst")));
        assert_eq!(place("/tmp"), ("/tmp/x".into(), None));
        assert_eq!(place("/tmp/none-such"), ("/tmp/x".into(), some("none-such")));
    }

    #[tokio::test]
    async fn the_newest_are_kept_and_what_somebody_named_himself_stays() {
        let dir = tempfile::tempdir().unwrap();
        let times = ["2026-01-31T033000Z", "2025-12-31T033000Z", "2026-02-01T033000Z"];
        let names = times.map(|time| format!("paas-{time}.tar.zst"));
        let others = ["paas-before.tar.zst", "paas-2026-02-31T033000Z.tar.zst", "notes"];
        for name in names.iter().map(String::as_str).chain(others) {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let depot = Depot::Directory(dir.path().to_owned());
        depot.keep(2).await.unwrap();
        assert_eq!(depot.names().await.unwrap(), [&names[0], &names[2]].map(String::clone));
        assert!(others.iter().all(|name| dir.path().join(name).exists()));
        depot.keep(5).await.unwrap();
        assert_eq!(depot.names().await.unwrap().len(), 2);
        let next = async |time: &str| depot.next_name(time.parse().unwrap()).await.unwrap();
        assert_eq!(next("2026-02-02T03:30:00.9Z").await, "paas-2026-02-02T033000Z.tar.zst");
        assert_eq!(next("2026-02-01T03:30:00.9Z").await, "paas-2026-02-01T033001Z.tar.zst");
    }
}
