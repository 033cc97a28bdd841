//! Hosts: joined once with a token, drained, lost, returned, removed.

use jiff::{SignedDuration, Timestamp};
use model::id::HostId;
use model::plan::ReplicaWish;
use store::*;

use crate::world::{World, release, replica, world};

async fn token(world: &World, minutes: i64) -> (JoinToken, String) {
    let mut tx = world.store.write().await.unwrap();
    let expires_at = Timestamp::now() + SignedDuration::from_mins(minutes);
    let new = NewJoinToken { name: Some("app-1"), zone: "a", expires_at, user: world.user.id };
    let made = create_join_token(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    made
}

#[tokio::test]
async fn a_join_token_makes_one_host_and_only_in_its_time() {
    let world = world().await;
    let (late, expired) = token(&world, -1).await;
    let (made, secret) = token(&world, 15).await;
    let mut tx = world.store.write().await.unwrap();
    assert!(use_join_token(&mut tx, &expired).await.unwrap().is_none());
    let used = use_join_token(&mut tx, &secret).await.unwrap().unwrap();
    assert_eq!((used.id, used.name.as_deref(), used.zone.as_str()), (made.id, Some("app-1"), "a"));
    let host = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    set_join_token_host(&mut tx, made.id, host.id).await.unwrap();
    assert!(use_join_token(&mut tx, &secret).await.unwrap().is_none());
    assert_eq!(find_join_token(&mut tx, made.id).await.unwrap().unwrap().used_by_host, Some(host.id));
    assert_eq!(find_join_token(&mut tx, late.id).await.unwrap().unwrap().used_by_host, None);
    let again = host_of_join_token(&mut tx, &secret, "fingerprint").await.unwrap().unwrap();
    assert_eq!(again.id, host.id);
    assert!(host_of_join_token(&mut tx, &secret, "of another machine").await.unwrap().is_none());
    assert!(host_of_join_token(&mut tx, &expired, "fingerprint").await.unwrap().is_none());
    assert!(remove_host(&mut tx, host.id, "is gone").await.unwrap());
    assert!(host_of_join_token(&mut tx, &secret, "fingerprint").await.unwrap().is_none());
    assert_eq!(forget_join_tokens(&mut tx).await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_host_says_of_itself_is_kept() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let host = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    assert!(!host.is_embedded());
    assert!(matches!(create_host(&mut tx, "app-1", "b", "other").await, Err(Error::Taken { .. })));
    let facts = HostFacts {
        address: Some("10.0.0.7".parse().unwrap()),
        entry_port: Some(7443),
        memory_bytes: Some(4 << 30),
        cpu_millicores: Some(2000),
        version: Some("0.3.0".to_owned()),
        engine: Some("sandbox".to_owned()),
    };
    set_host_facts(&mut tx, host.id, &facts).await.unwrap();
    let kept = find_host(&mut tx, host.id).await.unwrap().unwrap();
    assert_eq!(kept.facts, facts);
    assert_eq!(find_host_named(&mut tx, "app-1").await.unwrap().unwrap(), kept);
    assert_eq!(drill_host(&mut tx, host.id).await.unwrap(), Some(1));
    assert!(ensure_host(&mut tx, "here", "local").await.unwrap().is_embedded());
}

#[tokio::test]
async fn a_server_does_not_take_the_name_of_a_machine_that_joined() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let joined = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    assert!(matches!(ensure_host(&mut tx, "app-1", "b").await, Err(Error::Taken { .. })));
    assert_eq!(find_host(&mut tx, joined.id).await.unwrap(), Some(joined.clone()), "it is in its zone yet");
    remove_host(&mut tx, joined.id, "it is gone").await.unwrap();
    let embedded = ensure_host(&mut tx, "app-1", "b").await.unwrap();
    assert_ne!(embedded.id, joined.id);
    let moved = ensure_host(&mut tx, "app-1", "c").await.unwrap();
    assert_eq!((moved.id, moved.zone.as_str()), (embedded.id, "c"));
}

#[tokio::test]
async fn a_host_that_was_lost_is_what_it_was_when_it_returns() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let id = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap().id;
    assert!(!return_host(&mut tx, id, "it answers").await.unwrap());
    let host = set_host_drained(&mut tx, id, true, Some("ann drains it")).await.unwrap().unwrap();
    assert_eq!((host.state, host.state_reason.as_deref()), (HostState::Draining, Some("ann drains it")));
    assert!(lose_host(&mut tx, id, "not heard of for 30 s").await.unwrap());
    assert!(!lose_host(&mut tx, id, "again").await.unwrap());
    let host = find_host(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((host.state, host.state_before), (HostState::Lost, Some(HostState::Draining)));
    let host = set_host_drained(&mut tx, id, false, None).await.unwrap().unwrap();
    assert_eq!((host.state, host.state_before), (HostState::Lost, Some(HostState::Ready)));
    assert_eq!(host.state_reason.as_deref(), Some("not heard of for 30 s"));
    assert!(return_host(&mut tx, id, "it answers").await.unwrap());
    let host = find_host(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((host.state, host.state_before), (HostState::Ready, None));
}

#[tokio::test]
async fn what_a_lost_host_ran_is_to_end_and_is_made_elsewhere() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let config = model::config::ConfigVars::default();
    let version = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap().version;
    let lost = create_host(&mut tx, "app-1", "a", "one").await.unwrap().id;
    let other = create_host(&mut tx, "app-2", "b", "two").await.unwrap().id;
    let new = |host, wish| NewReplica { wish, ..replica(&world, version, host) };
    let until = Timestamp::now();
    for wish in [ReplicaWish::Run, ReplicaWish::Drain { until }, ReplicaWish::Once { seconds: 9 }] {
        create_replica(&mut tx, new(lost, wish)).await.unwrap();
    }
    create_replica(&mut tx, new(other, ReplicaWish::Run)).await.unwrap();
    lose_host(&mut tx, lost, "gone").await.unwrap();
    let replicas = list_replicas(&mut tx, world.app.id).await.unwrap();
    let wishes = |host| replicas.iter().filter(|r| r.host_id == host).map(|r| r.wish).collect::<Vec<_>>();
    assert_eq!(wishes(lost), [ReplicaWish::Stop, ReplicaWish::Stop, ReplicaWish::Once { seconds: 9 }]);
    assert_eq!(wishes(other), [ReplicaWish::Run]);
    remove_host(&mut tx, lost, "ann removed it").await.unwrap();
    assert_eq!(list_replicas(&mut tx, world.app.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_removed_host_is_gone_and_its_name_free() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let id = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap().id;
    assert!(remove_host(&mut tx, id, "ann removed it").await.unwrap());
    assert!(!remove_host(&mut tx, id, "again").await.unwrap());
    assert!(find_host(&mut tx, id).await.unwrap().is_none());
    assert!(knows_host(&mut tx, id).await.unwrap());
    assert!(!knows_host(&mut tx, HostId::new()).await.unwrap());
    assert!(find_host_named(&mut tx, &id.to_string()).await.unwrap().is_none());
    assert!(list_hosts(&mut tx).await.unwrap().is_empty());
    assert!(set_host_drained(&mut tx, id, true, None).await.unwrap().is_none());
    assert!(create_host(&mut tx, "app-1", "a", "fingerprint").await.is_ok());
}

#[tokio::test]
async fn a_host_may_speak_of_apps_whose_replicas_it_has_or_had_and_of_no_others() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let host = create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    let other = create_host(&mut tx, "app-2", "a", "other").await.unwrap();
    let app = world.app.id;
    assert!(!has_run(&mut tx, host.id, app).await.unwrap());
    let config = crate::world::config("A", "1");
    let version = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap().version;
    let new = replica(&world, version, host.id);
    for _ in 0..2 {
        let made = create_replica(&mut tx, new.clone()).await.unwrap();
        assert!(has_run(&mut tx, host.id, app).await.unwrap());
        delete_replica(&mut tx, made.id).await.unwrap();
    }
    assert!(has_run(&mut tx, host.id, app).await.unwrap(), "what it wrote may be on its way");
    assert!(!has_run(&mut tx, other.id, app).await.unwrap());
    assert_eq!(forget_host_apps(&mut tx).await.unwrap(), 0);
}

#[tokio::test]
async fn how_much_was_written_changes_with_what_is_committed_and_with_nothing_else() {
    let world = world().await;
    let before = world.store.written().await.unwrap();
    let mut tx = world.store.write().await.unwrap();
    create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    drop(tx);
    assert_eq!(world.store.written().await.unwrap(), before, "it was undone");
    let mut tx = world.store.write().await.unwrap();
    create_host(&mut tx, "app-1", "a", "fingerprint").await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(world.store.written().await.unwrap(), before);
}
