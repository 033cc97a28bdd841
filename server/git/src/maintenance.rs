//! Keeps repositories small, and removes what processes that died have left. Decides nothing about builds: what is to be
//! kept is what references name.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::occupancy::{self, Work};
use crate::process::Group;
use crate::push::INCOMING;
use crate::terminal::clean_line;
use crate::visits::is_quarantine;
use crate::{Repository, command, shallow};

/// Packs from which maintenance pays: each lookup may ask each of them.
const MANY_PACKS: usize = 30;
/// Objects that nothing names are kept this long: a push may be about to name them.
const PRUNE: &str = "--prune=1.hour.ago";
const PRUNED_AFTER: Duration = Duration::from_secs(3600);
/// Bytes by which a repository may grow beyond twice its size: of pushes that were refused nothing is named.
const GROWTH: u64 = 64 << 20;
/// Holds the bytes of the packs after the last maintenance.
const TIDY_SIZE: &str = "tidy-size";

impl Repository {
    /// Returns whether maintenance pays. Blocks.
    pub fn wants_maintenance(&self) -> bool {
        let packs = self.packs();
        // What is younger could not be removed yet.
        let old = packs.iter().filter(|pack| pack.age >= PRUNED_AFTER);
        packs.len() >= MANY_PACKS || has_outgrown(old.map(|pack| pack.bytes).sum(), self.tidy_size())
    }

    fn packs(&self) -> Vec<Pack> {
        let entries = fs::read_dir(self.path().join("objects/pack")).into_iter().flatten().flatten();
        let packs = entries.filter(|entry| entry.path().extension() == Some(OsStr::new("pack")));
        let facts = packs.filter_map(|pack| pack.metadata().ok());
        facts.map(|facts| Pack { bytes: facts.len(), age: age(&facts) }).collect()
    }

    /// None was written before the first maintenance, and half of one counts as none: then there is one more.
    fn tidy_size(&self) -> u64 {
        let text = fs::read_to_string(self.path().join(TIDY_SIZE)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Repacks and removes what nothing names. To be called between pushes; ends within `limit`.
    pub async fn maintain(&self, limit: Duration) -> anyhow::Result<()> {
        let repository = self.clone();
        tokio::task::spawn_blocking(move || repository.record_ends()).await??;
        let _stay = self.enter()?;
        let mut command = command::git(&self.home());
        command.args(["-c", "safe.directory=*", "gc", "--quiet", PRUNE]).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut group = Group::spawn(&mut command).context("could not run git gc")?;
        match tokio::time::timeout(limit, group.wait()).await {
            Ok(Ok(true)) => self.note_tidy_size().context("the size after git gc could not be noted"),
            Ok(Ok(false)) => {
                bail!("git gc failed in {}", clean_line(self.path().as_os_str().as_encoded_bytes(), 300))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                group.terminate().await;
                bail!("git gc was not done within {} s", limit.as_secs())
            }
        }
    }

    fn note_tidy_size(&self) -> io::Result<()> {
        let bytes: u64 = self.packs().iter().map(|pack| pack.bytes).sum();
        fs::write(self.path().join(TIDY_SIZE), format!("{bytes}\n"))
    }

    /// git cannot walk a history with holes that are not written down.
    fn record_ends(&self) -> anyhow::Result<()> {
        let kept: Vec<_> = self.kept_builds()?.into_iter().map(|(_, commit)| commit).collect();
        shallow::record(&*self.open()?, &kept)
    }

    /// Removes what killed processes have left: locks, quarantines, half-written files, pushes without an answer. Returns
    /// whether that could be done: nothing is touched while a server, be it another, works in the repository. Blocks.
    pub fn recover(&self) -> anyhow::Result<bool> {
        let Some(_alone) = occupancy::alone(self.path(), Work::ANY)? else { return Ok(false) };
        let at = |part: &str| self.path().join(part);
        remove(self.path(), &|name| name.ends_with(".lock") || name.starts_with("shallow_"))?;
        remove_unfinished_references(&at("refs"))?;
        remove(&at("objects"), &is_quarantine)?;
        remove(&at("objects/pack"), &|name| name.starts_with("tmp_") || name.ends_with(".keep"))?;
        self.forget_below_in(&self.open_bare()?, INCOMING)?;
        Ok(true)
    }
}

/// A file of objects.
struct Pack {
    bytes: u64,
    age: Duration,
}

fn age(facts: &fs::Metadata) -> Duration {
    facts.modified().ok().and_then(|written| written.elapsed().ok()).unwrap_or_default()
}

fn has_outgrown(bytes: u64, tidy: u64) -> bool {
    bytes > tidy.saturating_mul(2).saturating_add(GROWTH)
}

fn remove(directory: &Path, is_left_over: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in entries(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_left_over) {
            let path = entry.path();
            if entry.file_type()?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Below `refs` an empty file is a reference that was never finished, and git stumbles over it.
fn remove_unfinished_references(directory: &Path) -> io::Result<()> {
    remove(directory, &|name| name.ends_with(".lock"))?;
    for entry in entries(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_unfinished_references(&entry.path())?;
        } else if kind.is_file() && entry.metadata()?.len() == 0 {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> io::Result<Vec<io::Result<fs::DirEntry>>> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => Ok(entries?.collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::Repositories;

    fn put_pack(repository: &Repository, name: &str, bytes: u64, age: Duration) {
        let path = repository.path().join("objects/pack").join(name);
        let file = fs::File::create(path).unwrap();
        file.set_len(bytes).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn packs_of_refused_pushes_want_maintenance_once_they_may_go() {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repositories::open(dir.path()).unwrap().create("app", "main").unwrap();
        put_pack(&repository, "pack-1.pack", GROWTH + 1, Duration::ZERO);
        assert!(!repository.wants_maintenance(), "nothing of it could go yet");
        put_pack(&repository, "pack-1.pack", GROWTH + 1, PRUNED_AFTER);
        assert!(repository.wants_maintenance());
        repository.note_tidy_size().unwrap();
        assert!(!repository.wants_maintenance(), "what it holds is needed");
        put_pack(&repository, "pack-2.pack", 3 * GROWTH, PRUNED_AFTER);
        assert!(repository.wants_maintenance());
    }

    #[test]
    fn many_packs_want_maintenance() {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repositories::open(dir.path()).unwrap().create("app", "main").unwrap();
        (1..MANY_PACKS).for_each(|at| put_pack(&repository, &format!("{at}.pack"), 1, Duration::ZERO));
        assert!(!repository.wants_maintenance());
        put_pack(&repository, "last.pack", 1, Duration::ZERO);
        assert!(repository.wants_maintenance());
    }
}
