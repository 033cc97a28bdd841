//! Releases: numbered without a gap, whole or not at all, their config sealed, and which of them counts.

use model::release::{ReleaseStatus, Version};
use store::*;

use crate::database::open;
use crate::world::{World, config, release, world};

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_make_releases_without_a_gap_or_a_lock_error() {
    let world = world().await;
    let config = config("A", "1");
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (store, vault, config) = (world.store.clone(), world.vault.clone(), config.clone());
        let (app, user) = (world.app.id, world.user.id);
        writers.spawn(async move {
            let mut seen = store.read().await.unwrap();
            list_releases(&mut seen, app, ReleaseRange::newest(5)).await.unwrap();
            let mut tx = store.write().await.unwrap();
            let new = NewRelease {
                app,
                kind: ReleaseKind::Config,
                description: String::new(),
                user,
                slug: None,
                config: &config,
                commit: None,
                build: None,
                rollback_of: None,
            };
            let release = create_release(&mut tx, &vault, new).await.unwrap();
            tx.commit().await.unwrap();
            release.version.0
        });
    }
    let mut versions = writers.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_committed_leaves_no_trace() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    drop(tx);
    let mut tx = world.store.write().await.unwrap();
    let made = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    assert_eq!(made.version, Version(1));
}

#[tokio::test]
async fn config_values_are_sealed_in_the_file_and_open_after_a_restart() {
    let world = world().await;
    let secret = config("API_KEY", "s3ntinel-v4lue\nsecond line ü");
    let mut tx = world.store.write().await.unwrap();
    let made = create_release(&mut tx, &world.vault, release(&world, &secret)).await.unwrap();
    tx.commit().await.unwrap();
    let other = create_other_release(&world).await;
    world.store.close().await;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(8).any(|w| w == b"s3ntinel"), "{}", path.display());
    }
    let store = open(world.dir.path()).await;
    let vault = Vault::open_file(&world.dir.path().join("secret-key")).unwrap();
    let mut db = store.read().await.unwrap();
    assert_eq!(release_config(&mut db, &vault, made.id).await.unwrap(), secret);
    drop(db);
    // A sealed value that is moved to another row does not open there.
    let mut tx = store.write().await.unwrap();
    let moved = "update releases set config = (select config from releases where version = 1)";
    sqlx::query(moved).execute(&mut *tx).await.unwrap();
    assert!(release_config(&mut tx, &vault, other.id).await.is_err());
}

async fn create_other_release(world: &World) -> Release {
    let mut tx = world.store.write().await.unwrap();
    let config = config("A", "1");
    let made = create_release(&mut tx, &world.vault, release(world, &config)).await.unwrap();
    tx.commit().await.unwrap();
    made
}

#[tokio::test]
async fn a_failed_release_does_not_count() {
    let world = world().await;
    let (good, bad) = (config("A", "1"), config("A", "2"));
    let mut tx = world.store.write().await.unwrap();
    let app = world.app.id;
    assert_eq!(newest_release_that_counts(&mut tx, app).await.unwrap(), None);
    let v1 = create_release(&mut tx, &world.vault, release(&world, &good)).await.unwrap();
    set_release_status(&mut tx, app, v1.version, ReleaseStatus::Succeeded, None).await.unwrap();
    let v2 = create_release(&mut tx, &world.vault, release(&world, &bad)).await.unwrap();
    assert_eq!(newest_release_that_counts(&mut tx, app).await.unwrap().unwrap().version, v2.version);
    assert!(set_release_status(&mut tx, app, v2.version, ReleaseStatus::Failed, Some("no")).await.unwrap());
    assert!(!set_release_status(&mut tx, app, v2.version, ReleaseStatus::Succeeded, None).await.unwrap());
    let counts = newest_release_that_counts(&mut tx, app).await.unwrap().unwrap();
    assert_eq!(counts.version, v1.version);
    assert_eq!(release_config(&mut tx, &world.vault, counts.id).await.unwrap(), good);
}
