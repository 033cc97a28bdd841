//! What apps did: rows that are joined, read by window, added up for lists, and removed after a day.

use model::host_use::{HostUse, Share};
use model::id::{AppId, ReplicaId};
use model::metrics::{HostMinute, Meter, Reading, ReplicaMinute, Sample, Traffic};
use model::name::ProcessType;
use store::*;

use crate::world::world;

fn sample(slot: u64, requests: u64) -> Sample {
    let traffic = Traffic { classes: [requests, 0, 0, 0], ..Traffic::default() };
    let reading = Reading { millicores: Some(5), memory_mib: Some(40) };
    Sample { slot, traffic, replicas: vec![("web.1".to_owned(), Some(reading))], ..Sample::default() }
}

#[tokio::test]
async fn samples_of_one_minute_are_joined_as_after_a_restart_in_it() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    add_samples(&mut tx, world.app.id, 100, &[sample(0, 3), sample(1, 4)]).await.unwrap();
    add_samples(&mut tx, world.app.id, 100, &[sample(4, 5)]).await.unwrap();
    add_samples(&mut tx, world.app.id, 101, &[sample(0, 1)]).await.unwrap();
    let minutes = list_minutes(&mut tx, world.app.id, 100..101).await.unwrap();
    assert_eq!((minutes.len(), minutes[0].minute), (1, 100));
    assert_eq!(minutes[0].samples, [sample(0, 3), sample(1, 4), sample(4, 5)]);
    let counted = requests_of_apps(&mut tx, 99..102, 1).await.unwrap();
    assert_eq!(counted[&world.app.id], [0, 12, 1]);
}

#[tokio::test]
async fn the_requests_of_all_apps_are_added_up_in_slots() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let other = create_app(&mut tx, &"other".parse().unwrap(), world.user.id).await.unwrap();
    let idle = create_app(&mut tx, &"idle".parse().unwrap(), world.user.id).await.unwrap();
    for minute in 290..310 {
        add_samples(&mut tx, world.app.id, minute, &[sample(0, 2)]).await.unwrap();
        add_samples(&mut tx, idle.id, minute, &[sample(0, 0)]).await.unwrap();
    }
    add_samples(&mut tx, other.id, 305, &[sample(0, 7)]).await.unwrap();
    let counted = requests_of_apps(&mut tx, 294..312, 3).await.unwrap();
    assert_eq!(counted[&world.app.id], [6, 6, 6, 6, 6, 2], "what is outside of the window is not counted");
    assert_eq!(counted[&other.id], [0, 0, 0, 7, 0, 0]);
    assert!(!counted.contains_key(&idle.id));
}

#[tokio::test]
async fn what_is_old_is_removed_piece_by_piece() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    for minute in 0..100 {
        add_samples(&mut tx, world.app.id, minute, &[sample(0, 1)]).await.unwrap();
    }
    let left = async |tx: &mut Transaction| list_minutes(tx, world.app.id, 0..1_000).await.unwrap().len();
    assert!(expire_metrics(&mut tx, 50).await.unwrap(), "not all at once");
    assert_eq!(left(&mut tx).await, 70);
    assert!(!expire_metrics(&mut tx, 50).await.unwrap());
    assert_eq!(left(&mut tx).await, 50);
    assert!(!expire_metrics(&mut tx, 50).await.unwrap());
    assert_eq!(left(&mut tx).await, 50);
}

#[tokio::test]
async fn how_far_a_host_was_taken_and_what_its_machine_used_is_kept_until_it_goes() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let host = create_host(&mut tx, "app-1", "a", "key").await.unwrap();
    let (cpu, memory) = (Share { used: 5, of: 4_000 }, Share { used: 1 << 40, of: 1 << 41 });
    let in_use = HostUse { cpu_millicores: Some(cpu), memory_bytes: Some(memory) };
    let reading = Reading { millicores: Some(5), memory_mib: None };
    let (id, app, process) = (ReplicaId::new(), AppId::new(), ProcessType::web());
    let replicas = vec![ReplicaMinute { id, app, process, number: 1, reading }];
    let of = HostMinute { minute: 100, in_use, replicas };
    let mut meter = find_meter(&mut tx, host.id).await.unwrap();
    assert_eq!(meter, Meter::default());
    for _ in 0..2 {
        meter.take(&of);
        add_host_minute(&mut tx, host.id, &of).await.unwrap();
        set_meter(&mut tx, host.id, &meter).await.unwrap();
    }
    add_host_minute(&mut tx, host.id, &HostMinute { minute: 102, ..HostMinute::default() }).await.unwrap();
    assert_eq!(find_meter(&mut tx, host.id).await.unwrap(), meter);
    let listed = list_host_minutes(&mut tx, host.id, 0..200).await.unwrap();
    assert_eq!(listed, [(100, in_use), (102, HostUse::default())]);
    assert_eq!(list_late_meters(&mut tx, 101).await.unwrap(), [meter]);
    assert_eq!(list_late_meters(&mut tx, 100).await.unwrap(), []);
    assert!(!expire_metrics(&mut tx, 101).await.unwrap());
    assert_eq!(list_host_minutes(&mut tx, host.id, 0..200).await.unwrap().len(), 1);
    remove_host(&mut tx, host.id, "it is sold").await.unwrap();
    assert_eq!(find_meter(&mut tx, host.id).await.unwrap(), Meter::default());
}

#[tokio::test]
async fn who_was_killed_leaves_the_minute_that_it_was_at_and_who_ended_in_order_nothing() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let [killed, ended, alive] = [(); 3].map(|()| uuid::Uuid::now_v7());
    for (run, minute) in [(killed, 99), (killed, 100), (ended, 100), (alive, 100)] {
        set_counting(&mut tx, run, minute).await.unwrap();
    }
    end_counting(&mut tx, ended).await.unwrap();
    set_counting(&mut tx, alive, 103).await.unwrap();
    settle_counting(&mut tx, 100).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 0, "it may still write");
    for _ in 0..2 {
        settle_counting(&mut tx, 101).await.unwrap();
        assert_eq!(count_uncounted(&mut tx, 100..101).await.unwrap(), 1);
        assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 1);
    }
    set_fact(&mut tx, "metrics-counting/somebody", "sometime").await.unwrap();
    settle_counting(&mut tx, 101).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 1, "what is no minute counts for none");
    let late = uuid::Uuid::now_v7();
    set_counting(&mut tx, late, 90).await.unwrap();
    settle_counting(&mut tx, 101).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 2);
    set_counting(&mut tx, late, 104).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 1, "it was only kept from writing");
    assert_eq!(
        find_fact(&mut tx, &format!("metrics-counting/{alive}")).await.unwrap().as_deref(),
        Some("103")
    );
    expire_uncounted(&mut tx, 100).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 1);
    expire_uncounted(&mut tx, 101).await.unwrap();
    assert_eq!(count_uncounted(&mut tx, 0..1_000).await.unwrap(), 0);
}
