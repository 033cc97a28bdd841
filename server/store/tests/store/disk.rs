//! A full disk refuses what is written, in words, and is forgotten once there is room again.

use std::path::Path;
use std::process::Command;

use store::{Error, Store, find_fact, set_fact};

/// A file system of eight megabytes; unmounted when it is dropped. Needs root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(dir.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

async fn write(store: &Store, value: &str) -> Result<(), Error> {
    let mut tx = store.write().await?;
    set_fact(&mut tx, "key", value).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes until the disk takes no more. Returns the keys that were acknowledged.
async fn fill(store: &Store, from: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in from.. {
        let key = format!("key-{number}");
        let mut tx = store.write().await.unwrap();
        let written = set_fact(&mut tx, &key, &"x".repeat(30_000)).await;
        let done = match written {
            Ok(()) => tx.commit().await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => acknowledged.push(key),
            Err(Error::DiskFull) => return acknowledged,
            Err(error) => panic!("{error:?}"),
        }
    }
    acknowledged
}

async fn pragma(db: &mut store::Db, query: &'static str) -> String {
    use sqlx::Row as _;
    let row = sqlx::query(query).fetch_one(db).await.unwrap();
    row.try_get::<String, _>(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string())
}

#[tokio::test]
async fn a_database_on_a_full_disk_is_whole_and_keeps_what_it_acknowledged() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("paas.db");
    let store = Store::open_file(&path).await.unwrap();
    let mut acknowledged = fill(&store, 0).await;
    assert!(acknowledged.len() > 50);
    // Others on the disk leave it fuller and fuller, and it is tried again all the while.
    let mut fillers = Vec::new();
    for round in 1..5 {
        fillers.push(disk.path().join(format!("filler-{round}")));
        let _ = std::fs::write(fillers.last().unwrap(), vec![0; 1 << 20]);
        acknowledged.extend(fill(&store, round * 10_000).await);
    }
    // Dropped as by a crash, opened again once there is a little room.
    drop(store);
    fillers.iter().for_each(|filler| drop(std::fs::remove_file(filler)));
    let store = Store::open_file(&path).await.unwrap();
    let mut db = store.read().await.unwrap();
    assert_eq!(pragma(&mut db, "pragma integrity_check").await, "ok");
    for key in acknowledged {
        assert!(find_fact(&mut db, &key).await.unwrap().is_some(), "{key} was acknowledged");
    }
}

#[tokio::test]
async fn what_is_committed_is_on_disk_before_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("paas.db")).await.unwrap();
    for mut db in [store.read().await.unwrap(), store.write().await.unwrap()] {
        assert_eq!(pragma(&mut db, "pragma journal_mode").await, "wal");
        // 2 is FULL (<https://sqlite.org/pragma.html#pragma_synchronous>): the log is synchronised at each commit.
        assert_eq!(pragma(&mut db, "pragma synchronous").await, "2");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_writing_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = Store::open_file(&disk.path().join("paas.db")).await.unwrap();
    write(&store, "before").await.unwrap();
    let filler = disk.path().join("filler");
    let _ = std::fs::write(&filler, vec![0; 8 << 20]);
    let large = "x".repeat(1 << 20);
    for _ in 0..3 {
        let refused = write(&store, &large).await.unwrap_err();
        assert!(matches!(refused, Error::DiskFull), "{refused:?}");
    }
    std::fs::remove_file(&filler).unwrap();
    write(&store, "after").await.unwrap();
    let found = find_fact(&mut store.read().await.unwrap(), "key").await.unwrap();
    assert_eq!(found.as_deref(), Some("after"));
}
