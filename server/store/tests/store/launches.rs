//! Orders for instances: joined from once, by whoever shows what the machine was given, and kept after their end.

use jiff::{SignedDuration, Timestamp};
use model::id::LaunchId;
use model::instances::{Cause, InstanceId, Lack, Lifecycle, Pool, Scope, Wish};
use store::*;

use crate::world::world;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn pool() -> Pool {
    Pool { zone: "a".to_owned(), instance_type: "m7g.large".to_owned(), lifecycle: Lifecycle::Spot }
}

async fn order(tx: &mut Db, nonce: &str) -> LaunchId {
    let id = LaunchId::new();
    let (pool, image, sealed_user_data) = (&pool(), "ami-1", "sealed");
    let new = NewLaunch { id, pool, image, sealed_user_data, nonce, reason: "a replica waits", at: AT };
    create_launch(tx, new).await.unwrap();
    id
}

async fn find(tx: &mut Db, id: LaunchId) -> Launch {
    list_launches(tx).await.unwrap().into_iter().find(|launch| launch.id == id).unwrap()
}

fn instance(n: u32) -> InstanceId {
    format!("i-{n:017x}").parse().unwrap()
}

async fn joined(tx: &mut Db, nonce: &str, n: u32) -> bool {
    let Some(launch) = find_launch_by_nonce(tx, nonce).await.unwrap() else { return false };
    let host = create_host(tx, &format!("host-{n}"), "a", &format!("key-{n}")).await.unwrap();
    set_launch_host(tx, launch.id, (host.id, &instance(n)), AT).await.unwrap()
}

#[tokio::test]
async fn a_host_joins_from_an_order_once() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let id = order(&mut tx, "nonce").await;
    assert!(!joined(&mut tx, "another", 1).await);
    assert!(!was_host(&mut tx, &instance(1)).await.unwrap());
    assert!(joined(&mut tx, "nonce", 1).await);
    assert!(!joined(&mut tx, "nonce", 2).await, "it was shown before");
    assert!(was_host(&mut tx, &instance(1)).await.unwrap());
    let launch = find(&mut tx, id).await;
    assert_eq!((launch.instance, launch.shown_at), (Some(instance(1)), Some(AT)));
    assert_eq!(last_joined(&mut tx).await.unwrap(), [("a".to_owned(), AT)].into());
    end_launch(&mut tx, id, Cause::Surplus, AT).await.unwrap();
    assert!(was_host(&mut tx, &instance(1)).await.unwrap(), "also when it is no more");
}

#[tokio::test]
async fn nobody_joins_from_an_order_that_became_another_instance_or_is_not_wanted() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let id = order(&mut tx, "nonce").await;
    set_launch_instance(&mut tx, id, &instance(7), None).await.unwrap();
    assert!(!joined(&mut tx, "nonce", 1).await);
    set_launch_instance(&mut tx, id, &instance(8), Some(AT)).await.unwrap();
    assert_eq!(find(&mut tx, id).await.instance, Some(instance(7)), "what it became it stays");
    set_launch_wish(&mut tx, id, Wish::End { since: AT, cause: Cause::Dead }).await.unwrap();
    assert!(!joined(&mut tx, "nonce", 7).await);
    assert_eq!(find(&mut tx, id).await.wish, Some(Wish::End { since: AT, cause: Cause::Dead }));
    let second = order(&mut tx, "second").await;
    let taken = set_launch_instance(&mut tx, second, &instance(7), None).await;
    assert!(matches!(taken, Err(Error::Taken { .. })));
}

#[tokio::test]
async fn what_is_over_counts_for_an_hour_and_is_forgotten_later() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let id = order(&mut tx, "nonce").await;
    let drain = Wish::Drain { since: AT, cause: Cause::Stale };
    set_launch_wish(&mut tx, id, drain).await.unwrap();
    assert_eq!(find(&mut tx, id).await.wish, Some(drain));
    end_launch(&mut tx, id, Cause::Stale, AT).await.unwrap();
    set_launch_wish(&mut tx, id, Wish::Run).await.unwrap();
    assert_eq!(list_launches(&mut tx).await.unwrap(), [], "what is over stays so");
    let past = list_past_launches(&mut tx, AT - SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(
        past.iter().map(|past| (past.zone.as_str(), past.cause)).collect::<Vec<_>>(),
        [("a", Cause::Stale)]
    );
    assert_eq!(list_past_launches(&mut tx, AT).await.unwrap(), []);
    assert_eq!(forget_launches(&mut tx, AT + SignedDuration::from_secs(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_lack_is_remembered_until_its_time_and_events_come_newest_first() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let lack = |minutes| Lack {
        of: Scope::Pool(pool()),
        reason: "no capacity".to_owned(),
        until: AT + SignedDuration::from_mins(minutes),
    };
    remember_lack(&mut tx, &lack(5)).await.unwrap();
    remember_lack(&mut tx, &lack(9)).await.unwrap();
    assert_eq!(list_lacks(&mut tx, AT + SignedDuration::from_mins(5)).await.unwrap(), [lack(9)]);
    assert_eq!(forget_lacks(&mut tx, AT + SignedDuration::from_mins(9)).await.unwrap(), 1);
    for n in 0..3 {
        let at = AT + SignedDuration::from_secs(n);
        let event = FleetEvent { at, about: "i-1".to_owned(), message: format!("event {n}") };
        add_fleet_event(&mut tx, &event).await.unwrap();
    }
    let told: Vec<_> =
        list_fleet_events(&mut tx, 2).await.unwrap().into_iter().map(|event| event.message).collect();
    assert_eq!(told, ["event 2", "event 1"]);
    assert_eq!(forget_fleet_events(&mut tx, AT + SignedDuration::from_secs(2)).await.unwrap(), 2);
}
