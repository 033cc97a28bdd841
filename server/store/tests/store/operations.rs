//! Operations: one is active, and a newer one supersedes it.

use model::release::ReleaseStatus;
use store::*;

use crate::world::{config, operation, release, world};

#[tokio::test]
async fn a_newer_operation_supersedes_and_its_release_expires_the_older() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    let first = start_operation(&mut tx, operation(&world, v1.version)).await.unwrap();
    let v2 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    let second = start_operation(&mut tx, operation(&world, v2.version)).await.unwrap();
    assert!(second.generation > first.generation);
    assert_eq!(active_operation(&mut tx, world.app.id).await.unwrap().unwrap().id, second.id);
    let first = find_operation(&mut tx, first.id).await.unwrap().unwrap();
    assert_eq!(
        (first.state, first.superseded_by, first.reason.as_deref()),
        (OperationState::Superseded, Some(second.id), Some("superseded by v2"))
    );
    let v1 = find_release(&mut tx, world.app.id, v1.version).await.unwrap().unwrap();
    assert_eq!((v1.status, v1.reason.as_deref()), (ReleaseStatus::Expired, Some("superseded by v2")));
    // A restart of the same release does not end it.
    let restart = NewOperation { kind: OperationKind::Restart, ..operation(&world, v2.version) };
    start_operation(&mut tx, restart).await.unwrap();
    let v2 = find_release(&mut tx, world.app.id, v2.version).await.unwrap().unwrap();
    assert_eq!(v2.status, ReleaseStatus::Pending);
}

#[tokio::test]
async fn the_schema_itself_refuses_a_second_active_operation() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    start_operation(&mut tx, operation(&world, v1.version)).await.unwrap();
    let copy = "insert into operations (id, app_id, kind, release_version, generation, phase, state, user_id, \
                created_at, deadline) select 'x', app_id, kind, release_version, generation, phase, state, \
                user_id, created_at, deadline from operations";
    assert!(sqlx::query(copy).execute(&mut *tx).await.is_err());
}
