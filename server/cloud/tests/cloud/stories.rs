//! Stories: a fleet grows, shrinks, gets a new image, and asks in the same words again.

use crate::made_up::{Fault, Made};
use crate::world::{World, settings};

#[tokio::test]
async fn instances_come_for_replicas_and_go_with_them() {
    let mut world = World::new(4).await;
    world.want(20);
    world.settle().await;
    assert_eq!(world.alive(), [("a", 1), ("b", 1), ("c", 1)].map(|(zone, n)| (zone.to_owned(), n)).into());
    world.is_whole().await;
    world.want(3);
    world.settle().await;
    assert_eq!(world.alive().values().sum::<usize>(), 1);
    world.is_whole().await;
    let events = store::list_fleet_events(&mut world.store.read().await.unwrap(), 100).await.unwrap();
    let told = |text: &str| events.iter().any(|event| event.message.contains(text));
    assert!(
        told("is asked for: 20 replicas wait for room")
            && told("its replicas move elsewhere")
            && told("it is no more")
    );
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_made_again_in_the_same_words() {
    let mut world = World::new(4).await;
    world.want(8);
    world.sky.sky.lock().unwrap().faults =
        [Fault::None, Fault::None, Fault::None, Fault::None, Fault::Unheard, Fault::Unheard].into();
    world.settle().await;
    assert_eq!(world.sky.sky.lock().unwrap().made.len(), 1);
    world.is_whole().await;
}

#[tokio::test]
async fn what_a_pool_lacked_is_remembered_over_a_restart() {
    let mut world = World::new(4).await;
    world.want(8);
    let mut faults = vec![Fault::None; 4];
    faults.push(Fault::NoCapacity);
    world.sky.sky.lock().unwrap().faults = faults.into();
    for _ in 0..3 {
        world.turn().await;
    }
    world.restart();
    let lacks = store::list_lacks(&mut world.store.read().await.unwrap(), world.now()).await.unwrap();
    assert_eq!(
        lacks.iter().map(|lack| lack.reason.as_str()).collect::<Vec<_>>(),
        ["small (spot) in a has no capacity left"]
    );
    world.settle().await;
    let pools: Vec<_> =
        world.sky.sky.lock().unwrap().made.values().map(|made| made.pool.to_string()).collect();
    assert_eq!(pools, ["small (on-demand) in a"]);
    world.is_whole().await;
}

#[tokio::test]
async fn an_instance_whose_host_a_person_removed_is_ended_and_another_comes() {
    let mut world = World::new(4).await;
    world.want(8);
    world.settle().await;
    let host = world.replicas[0].unwrap();
    let mut tx = world.store.write().await.unwrap();
    store::remove_host(&mut tx, host, "nobody needs it").await.unwrap();
    tx.commit().await.unwrap();
    world.turn().await;
    let past = async |world: &World| {
        let since = world.now() - jiff::SignedDuration::from_hours(1);
        store::list_past_launches(&mut world.store.read().await.unwrap(), since).await.unwrap()
    };
    assert_eq!(world.sky.sky.lock().unwrap().made.values().filter(|made| made.ended).count(), 1);
    for _ in 0..8 {
        world.turn().await;
    }
    let causes: Vec<_> = past(&world).await.iter().map(|past| past.cause).collect();
    assert_eq!(causes, [model::instances::Cause::Removed]);
    world.settle().await;
    world.is_whole().await;
    let events = store::list_fleet_events(&mut world.store.read().await.unwrap(), 100).await.unwrap();
    let told = |event: &store::FleetEvent| event.message.ends_with("was removed by hand");
    assert_eq!(events.into_iter().filter(told).count(), 1);
}

#[tokio::test]
async fn a_new_image_is_rolled_out() {
    let mut world = World::new(4).await;
    world.want(20);
    world.settle().await;
    world.image = "ami-2".to_owned();
    world.restart();
    world.settle().await;
    let sky = world.sky.sky.lock().unwrap().made.clone();
    assert!(sky.values().filter(|made| !made.ended).all(|made| made.image == "ami-2"));
    world.is_whole().await;
}

#[tokio::test]
async fn why_the_cloud_does_not_list_instances_is_told_once_and_again_when_it_is_another_reason() {
    let mut world = World::new(4).await;
    world.want(8);
    world.settle().await;
    let says = |world: &World, says: Option<&str>| {
        world.sky.sky.lock().unwrap().no_list = says.map(str::to_owned);
    };
    // It says so in other words each time.
    for turn in 0..40 {
        says(&world, Some(&format!("the credentials expired at 20261123T0123{turn:02}Z")));
        world.turn().await;
    }
    let told = world.told("has not said for").await;
    assert!(
        matches!(&told[..], [one] if one.contains("so that nothing is begun: the credentials expired")),
        "{told:#?}"
    );
    says(&world, Some("it is not allowed"));
    for _ in 0..40 {
        world.turn().await;
    }
    let told = world.told("has not said for").await;
    assert!(matches!(&told[..], [_, other] if other.ends_with("it is not allowed")), "{told:#?}");
    says(&world, None);
    world.settle().await;
    world.is_whole().await;
}

#[tokio::test]
async fn why_an_instance_is_not_ended_is_told_once_for_each_reason() {
    let mut world = World::new(4).await;
    world.want(8);
    world.settle().await;
    world.want(0);
    for why in ["it is not allowed", "there are too many calls"] {
        world.sky.sky.lock().unwrap().no_end = Some(why.to_owned());
        for _ in 0..60 {
            world.turn().await;
        }
    }
    let told = world.told("it should end, and the cloud does not do so: ").await;
    assert!(
        matches!(&told[..], [first, then] if first.ends_with("not allowed") && then.ends_with("too many calls")),
        "{told:#?}"
    );
    world.sky.sky.lock().unwrap().no_end = None;
    world.settle().await;
    assert!(world.alive().is_empty());
}

#[tokio::test]
async fn a_pool_that_is_taken_back_from_is_left_alone_over_a_restart() {
    let mut world = World::new(4).await;
    world.want(8);
    world.settle().await;
    world.risks.extend(world.replicas[0]);
    while world.told("it is no more").await.is_empty() {
        world.turn().await;
    }
    world.restart();
    let lacks = store::list_lacks(&mut world.store.read().await.unwrap(), world.now()).await.unwrap();
    let reasons: Vec<&str> = lacks.iter().map(|lack| lack.reason.as_str()).collect();
    assert_eq!(reasons, ["small (spot) in a is taken back, or may be soon"]);
    let since = world.now() - jiff::SignedDuration::from_hours(1);
    let past = store::list_past_launches(&mut world.store.read().await.unwrap(), since).await.unwrap();
    assert_eq!(past.iter().map(|past| past.cause).collect::<Vec<_>>(), [model::instances::Cause::AtRisk]);
    world.settle().await;
    world.is_whole().await;
    let pools: Vec<_> =
        world.sky.sky.lock().unwrap().made.values().map(|made| made.pool.to_string()).collect();
    assert_eq!(pools, ["small (spot) in a", "small (on-demand) in a"]);
}

#[tokio::test]
async fn an_instance_that_is_due_for_maintenance_is_replaced_and_its_pool_is_as_good_as_before() {
    let mut world = World::new(4).await;
    world.want(8);
    world.settle().await;
    let host = world.replicas[0].unwrap();
    world.maintenance.insert(host, "the cloud has planned maintenance of it".to_owned());
    let mut placed = world.replicas.len();
    while world.told("it is no more").await.is_empty() {
        world.turn().await;
        placed = placed.min(world.replicas.iter().flatten().count());
    }
    assert_eq!(placed, world.replicas.len(), "all replicas have a place all the time");
    assert_eq!(world.told("the cloud has planned maintenance of it").await.len(), 1);
    let past = store::list_past_launches(&mut world.store.read().await.unwrap(), jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(past.iter().map(|past| past.cause).collect::<Vec<_>>(), [model::instances::Cause::Stale]);
    let lacks = store::list_lacks(&mut world.store.read().await.unwrap(), world.now()).await.unwrap();
    assert!(lacks.is_empty(), "{lacks:?}");
    world.settle().await;
    world.is_whole().await;
    assert!(!world.replicas.contains(&Some(host)));
}

#[tokio::test]
async fn instances_that_nobody_ordered_are_ended_so_many_an_hour_whoever_leads() {
    let mut world = World::new(4).await;
    let few = model::instances::Settings { replaced_per_hour: 2, ..settings(4) };
    let mut tx = world.store.write().await.unwrap();
    cloud::set_settings(&mut tx, &few).await.unwrap();
    tx.commit().await.unwrap();
    world.want(8);
    world.settle().await;
    {
        let mut sky = world.sky.sky.lock().unwrap();
        let ordered = sky.made.values().next().unwrap().clone();
        for n in 0..5 {
            let stray =
                Made { launch: model::id::LaunchId::new(), user_data: String::new(), ..ordered.clone() };
            sky.made.insert(format!("i-0ff{n}").parse().unwrap(), stray);
        }
    }
    // What a server that leads now has seen of them is counted in memory, and what was ended is not.
    for _ in 0..2 {
        for _ in 0..80 {
            world.turn().await;
        }
        world.restart();
    }
    assert_eq!(world.sky.sky.lock().unwrap().made.values().filter(|made| made.ended).count(), 2);
    assert_eq!(world.told("nobody ordered it").await.len(), 2);
}

#[tokio::test]
async fn an_instance_that_was_given_late_has_the_time_to_join() {
    let mut world = World::new(4).await;
    world.want(8);
    world.sky.sky.lock().unwrap().busy = true;
    for _ in 0..48 {
        world.turn().await;
    }
    world.sky.sky.lock().unwrap().busy = false;
    world.settle().await;
    assert_eq!(world.sky.sky.lock().unwrap().made.len(), 1);
    world.is_whole().await;
}
