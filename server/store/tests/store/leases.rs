//! Two servers on one database: who slept through the end of his lease writes nothing more.

use jiff::{SignedDuration, Timestamp};
use store::*;

use crate::builds::build;
use crate::database::open;
use crate::world::{World, config, lease, operation, release, world};

/// A lease that has just ended.
fn over(owner: &str) -> Lease {
    Lease { owner: owner.to_owned(), until: Timestamp::now() - SignedDuration::from_secs(1) }
}

async fn rollout(world: &World) -> Operation {
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(world, &config)).await.unwrap();
    let operation = start_operation(&mut tx, operation(world, v1.version)).await.unwrap();
    tx.commit().await.unwrap();
    operation
}

async fn read(store: &Store, id: model::id::OperationId) -> Operation {
    find_operation(&mut store.read().await.unwrap(), id).await.unwrap().unwrap()
}

/// What a reconcile loop does in one transaction: the lease, then what was decided.
async fn finish(store: &Store, seen: &Operation, lease: &Lease, state: OperationState) -> bool {
    let mut tx = store.write().await.unwrap();
    let held = hold_operation(&mut tx, seen, lease).await.unwrap();
    if held {
        finish_operation(&mut tx, seen.id, state, None).await.unwrap();
    }
    tx.commit().await.unwrap();
    held
}

#[tokio::test]
async fn what_a_paused_first_owner_decided_is_refused_after_a_second_took_over() {
    let world = world().await;
    let (first, second) = (&world.store, open(world.dir.path()).await);
    let id = rollout(&world).await.id;
    // The first works at it, decides that it failed, and is paused before it can write that.
    let mut tx = first.write().await.unwrap();
    assert!(hold_operation(&mut tx, &read(first, id).await, &over("first")).await.unwrap());
    tx.commit().await.unwrap();
    let decided_on = read(first, id).await;
    assert_eq!(decided_on.lease_owner.as_deref(), Some("first"));
    // Its lease ends, the second takes over and goes on.
    let mut tx = second.write().await.unwrap();
    assert!(hold_operation(&mut tx, &read(&second, id).await, &over("second")).await.unwrap());
    tx.commit().await.unwrap();
    // The first wakes up. Even though the second's lease is over as well, what it decided is old.
    assert!(!finish(first, &decided_on, &lease("first"), OperationState::Failed).await);
    assert_eq!(read(first, id).await.state, OperationState::Active);
    let seen = read(&second, id).await;
    assert!(finish(&second, &seen, &lease("second"), OperationState::Succeeded).await);
    let ended = read(first, id).await;
    assert_eq!((ended.state, ended.fence), (OperationState::Succeeded, 2));
}

#[tokio::test]
async fn while_a_lease_lasts_nobody_else_gets_it_and_its_owner_prolongs_it() {
    let world = world().await;
    let id = rollout(&world).await.id;
    let store = &world.store;
    let mut tx = store.write().await.unwrap();
    let seen = find_operation(&mut tx, id).await.unwrap().unwrap();
    assert!(hold_operation(&mut tx, &seen, &lease("first")).await.unwrap());
    let seen = find_operation(&mut tx, id).await.unwrap().unwrap();
    assert!(!hold_operation(&mut tx, &seen, &lease("second")).await.unwrap());
    assert!(hold_operation(&mut tx, &seen, &lease("first")).await.unwrap());
    assert_eq!(find_operation(&mut tx, id).await.unwrap().unwrap().fence, 1);
    // Who knows that the owners are dead need not wait.
    end_leases(&mut tx).await.unwrap();
    assert!(hold_operation(&mut tx, &seen, &lease("second")).await.unwrap());
    finish_operation(&mut tx, id, OperationState::Cancelled, None).await.unwrap();
    let seen = find_operation(&mut tx, id).await.unwrap().unwrap();
    assert!(!hold_operation(&mut tx, &seen, &lease("second")).await.unwrap(), "it has ended");
}

#[tokio::test]
async fn a_build_that_was_begun_anew_elsewhere_is_not_ended_by_whoever_began_it_first() {
    let world = world().await;
    let deadline = Timestamp::now() + SignedDuration::from_mins(15);
    let mut tx = world.store.write().await.unwrap();
    let id = enqueue_build(&mut tx, build(&world, "1")).await.unwrap().id;
    assert!(start_build(&mut tx, id, deadline, &over("first")).await.unwrap());
    let first = find_build(&mut tx, id).await.unwrap().unwrap();
    requeue_build(&mut tx, id).await.unwrap();
    assert!(start_build(&mut tx, id, deadline, &lease("second")).await.unwrap());
    let second = find_build(&mut tx, id).await.unwrap().unwrap();
    assert!(!hold_build(&mut tx, &first, &lease("first")).await.unwrap());
    assert!(hold_build(&mut tx, &second, &lease("second")).await.unwrap());
    assert_eq!((first.fence, second.fence), (1, 2));
}
