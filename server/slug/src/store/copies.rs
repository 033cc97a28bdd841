//! Copies of images whose store is elsewhere: given up when they take too much room, but not those that a release may need
//! again soon.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use model::keep::{CopyRoom, SlugCopy};
use model::slug::Digest;
use tokio::task::spawn_blocking;

use super::{SUFFIX, SlugStore};

/// Most slugs that are asked about at once; the others stay until the next time.
const ASKED: usize = 1000;

/// Who knows which slugs releases can be gone back to.
#[async_trait]
pub trait Reach: Send + Sync + fmt::Debug {
    /// Returns those of the slugs that a release within reach has.
    ///
    /// # Errors
    /// Whatever keeps it from being known now.
    async fn within_reach(&self, slugs: BTreeSet<Digest>) -> io::Result<BTreeSet<Digest>>;
}

/// What is in a folder of copies: where, and as what it is judged.
type Copies = Vec<(PathBuf, SlugCopy)>;

impl SlugStore {
    /// Keeps at most so many bytes of copies, but for slugs within reach.
    #[must_use]
    pub fn bounded(self, bytes: u64) -> Self {
        Self { copies_bytes: bytes, ..self }
    }

    /// Asks somebody which copies are within reach; without, none is.
    #[must_use]
    pub fn knowing(self, reach: Arc<dyn Reach>) -> Self {
        Self { reach: Some(reach), ..self }
    }

    /// Deletes copies in `cache` that take too much room, as `model::keep` has it: `needed` now are kept, and what is within
    /// reach or might be goes only where the disk is short. Nothing where the store is a directory of this host.
    pub async fn trim(&self, cache: &Path, needed: &BTreeSet<Digest>) {
        if !self.is_elsewhere() {
            return;
        }
        let (folder, bound) = (cache.to_owned(), self.copies_bytes);
        let result = async {
            let (mut copies, room) = blocking(move || look(&folder, bound)).await?;
            if judge(&copies, room, needed).is_empty() {
                return io::Result::Ok(());
            }
            self.ask(&mut copies, needed).await;
            let gone = judge(&copies, room, needed);
            let delete = || gone.into_iter().filter(|path| fs::remove_file(path).is_ok()).collect::<Vec<_>>();
            blocking(|| Ok(delete())).await?.iter().for_each(|path| self.intact.forget(path));
            Ok(())
        };
        match result.await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot give up copies of slugs in {}", cache.display());
            }
            _ => {}
        }
    }

    /// Notes which copies are within reach; of those that cannot be asked about it is taken for granted.
    async fn ask(&self, copies: &mut Copies, needed: &BTreeSet<Digest>) {
        let Some(reach) = &self.reach else { return };
        copies.sort_by_key(|(_, copy)| copy.came_at);
        let whole = copies.iter().filter_map(|(_, copy)| copy.digest.clone());
        let asked: BTreeSet<Digest> = whole.filter(|digest| !needed.contains(digest)).take(ASKED).collect();
        let within = match reach.within_reach(asked.clone()).await {
            Ok(within) => within,
            Err(error) => {
                tracing::warn!(%error, "nobody says which copies of slugs may be given up, so they stay while the disk has room");
                asked.clone()
            }
        };
        for (_, copy) in copies {
            let known = |digest: &Digest| within.contains(digest) || !asked.contains(digest);
            copy.within_reach = copy.digest.as_ref().is_some_and(known);
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn look(folder: &Path, bound: u64) -> io::Result<(Copies, CopyRoom)> {
    let now = Timestamp::now();
    let copy = |entry: fs::DirEntry| {
        let (facts, name) = (entry.metadata().ok()?, entry.file_name());
        let digest = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
        let came_at = facts.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(now);
        Some((entry.path(), SlugCopy { digest, bytes: facts.len(), came_at, within_reach: false }))
    };
    let copies = fs::read_dir(folder)?.flatten().filter_map(copy).collect();
    let disk = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok((copies, CopyRoom { bound, disk: bytes(disk.f_blocks), free: bytes(disk.f_bavail) }))
}

/// Returns the files that go.
fn judge(copies: &Copies, room: CopyRoom, needed: &BTreeSet<Digest>) -> Vec<PathBuf> {
    let judged: Vec<_> = copies.iter().map(|(_, copy)| copy.clone()).collect();
    let gone = room.too_many(&judged, needed, Timestamp::now());
    gone.into_iter().map(|place| copies[place].0.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Mutex, time::Duration};

    use object_store::memory::InMemory;

    use super::*;

    /// Says that these are within reach, or nothing.
    #[derive(Debug)]
    struct Known(Option<BTreeSet<Digest>>, Mutex<u32>);

    #[async_trait]
    impl Reach for Known {
        async fn within_reach(&self, slugs: BTreeSet<Digest>) -> io::Result<BTreeSet<Digest>> {
            *self.1.lock().unwrap() += 1;
            let known = self.0.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))?;
            Ok(known.intersection(&slugs).cloned().collect())
        }
    }

    fn digest(name: &str) -> Digest {
        name.repeat(64).parse().unwrap()
    }

    /// Makes four copies of 100 bytes, the one named `a` first, lets so many bytes stay, and returns which do and how often was asked.
    async fn stay(bound: u64, within_reach: Option<&[&str]>) -> (String, u32) {
        let dir = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - Duration::from_secs(3600);
        for (age, name) in (0..).zip(["a", "b", "c", "d"]) {
            let path = dir.path().join(format!("{}.squashfs", digest(name)));
            fs::write(&path, [0; 100]).unwrap();
            File::open(&path).unwrap().set_modified(old + Duration::from_secs(age)).unwrap();
        }
        let reach = within_reach.map(|names| names.iter().copied().map(digest).collect());
        let reach = Arc::new(Known(reach, Mutex::default()));
        let store = SlugStore::new(Arc::new(InMemory::new())).bounded(bound).knowing(reach.clone());
        store.trim(dir.path(), &[digest("a")].into()).await;
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let firsts = names.iter().map(|name| name.to_str().unwrap().chars().next().unwrap()).collect();
        (firsts, *reach.1.lock().unwrap())
    }

    #[tokio::test]
    async fn the_oldest_go_that_no_release_needs_and_nobody_is_asked_while_they_fit() {
        assert_eq!(stay(400, Some(&[])).await, ("abcd".to_owned(), 0));
        assert_eq!(stay(250, Some(&[])).await, ("ad".to_owned(), 1));
        assert_eq!(stay(250, Some(&["b"])).await, ("ab".to_owned(), 1));
        assert_eq!(stay(0, Some(&["b", "c", "d"])).await, ("abcd".to_owned(), 1));
    }

    #[tokio::test]
    async fn all_stay_that_nobody_says_anything_about() {
        assert_eq!(stay(0, None).await, ("abcd".to_owned(), 1));
    }
}
