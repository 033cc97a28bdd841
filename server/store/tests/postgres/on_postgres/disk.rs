//! A full disk under `Postgres` refuses what is written, in words, and is forgotten once there is room again.

use std::path::Path;
use std::process::Command;

use store::{Error, Store, find_fact, set_fact};

use crate::server::Postgres;

/// A file system of 64 megabytes; unmounted when it is dropped. Needs root.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(dir: &'a Path) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"]).arg(dir).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

async fn write(store: &Store, key: &str, value: &str) -> Result<(), Error> {
    let mut tx = store.write().await?;
    set_fact(&mut tx, key, value).await?;
    tx.commit().await
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_writing_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else { return };
    let postgres = Postgres::own(dir.path());
    let store = Store::open_url(&postgres.url("postgres").parse().unwrap()).await.unwrap();
    write(&store, "key", "before").await.unwrap();
    let filler = dir.path().join("filler");
    let _ = std::fs::write(&filler, vec![1; 96 << 20]);
    // Beyond what is allocated already, and not to be compressed.
    let mut refused = None;
    for number in 0..400_u32 {
        let text: String = (0..60_000_u32)
            .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761 ^ number) >> 27) as u8 % 26))
            .collect();
        if let Err(error) = write(&store, &format!("key-{number}"), &text).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(Error::DiskFull)), "{refused:?}");
    std::fs::remove_file(&filler).unwrap();
    write(&store, "key", "after").await.unwrap();
    let found = find_fact(&mut store.read().await.unwrap(), "key").await.unwrap();
    assert_eq!(found.as_deref(), Some("after"));
}
