//! The platform's cap: the fleet grows up to it, says so, and goes on when there is more money.

use cloud::{set_ground, set_settings};
use model::cost::{Ground, Money};
use model::instances::{InstanceType, Settings};

use crate::world::{OFFERS, World, settings};

/// A fleet of m7g.large in a region with prices: one costs $66.42 a month, and without any it is $27.38.
async fn world() -> World {
    let world = World::new(5).await;
    let usual = settings(5);
    let settings = Settings {
        zones: usual.zones.iter().map(|(zone, bounds)| (format!("us-east-1{zone}"), *bounds)).collect(),
        types: vec![InstanceType { name: "m7g.large".to_owned(), offers: OFFERS }],
        ..usual
    };
    let mut tx = world.store.write().await.unwrap();
    set_settings(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();
    world
}

async fn cap(world: &World, dollars: f64) {
    let mut tx = world.store.write().await.unwrap();
    store::set_cap(&mut tx, None, Money::from_dollars(dollars)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_fleet_grows_up_to_the_cap_and_says_why_no_further() {
    let mut world = world().await;
    cap(&world, 161.0).await;
    world.want(40);
    world.settle().await;
    assert_eq!(world.alive().values().sum::<usize>(), 2);
    let events = store::list_fleet_events(&mut world.store.read().await.unwrap(), 100).await.unwrap();
    let told = events.iter().filter(|event| event.message.contains("cap of $161.00 a month allows no more"));
    assert_eq!(told.count(), 1, "{events:#?}");
    cap(&world, 20.0).await;
    world.settle().await;
    assert_eq!(world.alive().values().sum::<usize>(), 2, "a lower cap ends nothing");
    cap(&world, 1_000.0).await;
    world.settle().await;
    world.is_whole().await;
}

#[tokio::test]
async fn what_the_fleet_was_seen_to_stand_on_leaves_less_for_hosts() {
    let mut world = world().await;
    let ground = Ground { nats: 3, host_addresses: false, ..Ground::usual(3) };
    let mut tx = world.store.write().await.unwrap();
    set_ground(&mut tx, &ground).await.unwrap();
    tx.commit().await.unwrap();
    // $136.88 without any host, and $62.77 for each.
    cap(&world, 200.0).await;
    world.want(40);
    world.settle().await;
    assert_eq!(world.alive().values().sum::<usize>(), 1);
}
