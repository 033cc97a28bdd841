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
