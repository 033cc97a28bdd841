//! Watches: one per app, ended by whatever is begun, and a release that did not stand its own is failed once.

use jiff::{SignedDuration, Timestamp};
use model::release::{ReleaseStatus, Version};
use model::watch::{Before, Traffic, Watch};
use store::*;

use crate::world::{World, config, operation, release, world};

fn watch(version: Version) -> Watch {
    // Times are stored in milliseconds.
    let since = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
    Watch {
        version,
        generation: 2,
        fallback: Version(1),
        since,
        until: since + SignedDuration::from_secs(60),
        before: Before {
            traffic: Traffic { requests: 9, errors: 1 },
            unsteady: ["worker".parse().unwrap()].into(),
            restarts: [(model::id::ReplicaId::new(), 3)].into(),
        },
    }
}

async fn watched(world: &World) -> (Watch, Version) {
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let version = create_release(&mut tx, &world.vault, release(world, &config)).await.unwrap().version;
    let watch = watch(version);
    start_watch(&mut tx, world.app.id, &watch).await.unwrap();
    tx.commit().await.unwrap();
    (watch, version)
}

#[tokio::test]
async fn a_watch_is_what_it_was_when_it_is_read_again() {
    let world = world().await;
    let (watch, _) = watched(&world).await;
    let mut tx = world.store.write().await.unwrap();
    assert_eq!(find_watch(&mut tx, world.app.id).await.unwrap(), Some(watch.clone()));
    start_watch(&mut tx, world.app.id, &watch).await.unwrap();
    assert!(end_watch(&mut tx, world.app.id).await.unwrap());
    assert!(!end_watch(&mut tx, world.app.id).await.unwrap());
}

#[tokio::test]
async fn whatever_is_begun_ends_a_watch_and_so_does_the_end_of_the_app() {
    let world = world().await;
    let (watch, version) = watched(&world).await;
    let mut tx = world.store.write().await.unwrap();
    start_operation(&mut tx, operation(&world, version)).await.unwrap();
    assert_eq!(find_watch(&mut tx, world.app.id).await.unwrap(), None);
    start_watch(&mut tx, world.app.id, &watch).await.unwrap();
    delete_app(&mut tx, world.app.id).await.unwrap();
    assert_eq!(find_watch(&mut tx, world.app.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_release_fails_its_watch_once_and_only_after_it_served() {
    let world = world().await;
    let (_, version) = watched(&world).await;
    let app = world.app.id;
    let mut tx = world.store.write().await.unwrap();
    assert!(!fail_watched_release(&mut tx, app, version, "too early").await.unwrap());
    set_release_status(&mut tx, app, version, ReleaseStatus::Succeeded, None).await.unwrap();
    assert!(fail_watched_release(&mut tx, app, version, "it crashed").await.unwrap());
    assert!(!fail_watched_release(&mut tx, app, version, "again").await.unwrap());
    let release = find_release(&mut tx, app, version).await.unwrap().unwrap();
    assert_eq!((release.status, release.reason.as_deref()), (ReleaseStatus::Failed, Some("it crashed")));
}

#[tokio::test]
async fn an_operation_has_one_deadline_from_its_beginning_to_its_end() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let version = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap().version;
    let new = NewOperation { phase: model::plan::RolloutPhase::ReleaseCommand, ..operation(&world, version) };
    let begun = start_operation(&mut tx, new).await.unwrap();
    assert!(advance_operation(&mut tx, begun.id).await.unwrap());
    let later = find_operation(&mut tx, begun.id).await.unwrap().unwrap();
    assert_eq!((later.phase, later.deadline), (model::plan::RolloutPhase::Rolling, begun.deadline));
}
