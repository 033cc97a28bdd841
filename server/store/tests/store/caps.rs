//! Caps on what apps and the platform may cost: kept, taken away, and held though many write at once.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::cost::{Costs, Ground, Money, Prices};
use model::formation::Scale;
use model::id::AppId;
use model::instances::{Bounds, Settings};
use model::name::ProcessType;
use store::*;

use crate::world::world;

fn dollars(dollars: f64) -> Money {
    Money::from_dollars(dollars).unwrap()
}

fn settings() -> Settings {
    Settings {
        zones: [("us-east-1a".to_owned(), Bounds { min: 0, max: 9 })].into(),
        schedules: Vec::new(),
        types: vec!["m7g.large".parse().unwrap()],
        spot: false,
        headroom_percent: 0,
        replaced_per_hour: 6,
        patience: SignedDuration::from_mins(10),
        boot: model::instances::usual_boot(),
    }
}

async fn costs(db: &mut Db) -> Costs {
    let (apps, caps) = (all_formations(db).await.unwrap(), list_caps(db).await.unwrap());
    Costs { settings: settings(), ground: Ground::usual(1), apps, caps }
}

/// Wants one more replica, unless a cap forbids it.
async fn grow(store: &Store, app: AppId) -> bool {
    let mut tx = store.write().await.unwrap();
    let before = costs(&mut tx).await;
    let mut after = before.clone();
    let scale = after.apps.get_mut(&app).unwrap().1.entry(ProcessType::web()).or_default();
    scale.quantity += 1;
    let scale: Scale = *scale;
    if after.judge(&before, &Prices::built_in()).is_err() {
        return false;
    }
    set_scale(&mut tx, app, &ProcessType::web(), scale).await.unwrap();
    tx.commit().await.unwrap();
    true
}

#[tokio::test]
async fn caps_are_kept_changed_and_taken_away() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let app = Some(world.app.id);
    set_cap(&mut tx, app, Some(dollars(50.0))).await.unwrap();
    set_cap(&mut tx, None, Some(dollars(0.000_001))).await.unwrap();
    set_cap(&mut tx, app, Some(dollars(49.99))).await.unwrap();
    let both = BTreeMap::from([(app, dollars(49.99)), (None, Money::from_millionths(1))]);
    assert_eq!(list_caps(&mut tx).await.unwrap(), both);
    set_cap(&mut tx, None, None).await.unwrap();
    assert_eq!(list_caps(&mut tx).await.unwrap(), [(app, dollars(49.99))].into());
}

#[tokio::test]
async fn what_apps_want_to_run_is_listed_without_those_that_were_destroyed() {
    let world = world().await;
    assert!(grow(&world.store, world.app.id).await);
    let mut tx = world.store.write().await.unwrap();
    let gone = create_app(&mut tx, &"gone".parse().unwrap(), world.user.id).await.unwrap();
    set_scale(&mut tx, gone.id, &ProcessType::web(), Scale::default()).await.unwrap();
    set_cap(&mut tx, Some(gone.id), Some(dollars(50.0))).await.unwrap();
    delete_app(&mut tx, gone.id).await.unwrap();
    assert!(list_caps(&mut tx).await.unwrap().is_empty(), "its cap goes with it");
    let apps = all_formations(&mut tx).await.unwrap();
    assert_eq!(apps.keys().collect::<Vec<_>>(), [&world.app.id]);
    assert_eq!(apps[&world.app.id].1[&ProcessType::web()].quantity, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_more_at_once_no_more_are_taken_than_a_cap_allows() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let other = create_app(&mut tx, &"blog".parse().unwrap(), world.user.id).await.unwrap();
    // The load balancer with an address and one host, which has room for fourteen.
    set_cap(&mut tx, None, Some(dollars(90.0))).await.unwrap();
    // Five of them.
    set_cap(&mut tx, Some(other.id), Some(dollars(25.0))).await.unwrap();
    tx.commit().await.unwrap();
    // As two servers have it.
    let stores = [world.store.clone(), crate::database::open(world.dir.path()).await];
    let grown = (0..32).map(|at| {
        let (store, app) = (stores[at % 2].clone(), [world.app.id, other.id][at / 2 % 2]);
        tokio::spawn(async move { (app, grow(&store, app).await) })
    });
    let mut taken: BTreeMap<AppId, usize> = BTreeMap::new();
    for one in grown.collect::<Vec<_>>() {
        let (app, grew) = one.await.unwrap();
        *taken.entry(app).or_default() += usize::from(grew);
    }
    assert_eq!(taken.values().sum::<usize>(), 14);
    assert!(taken[&other.id] <= 5);
    let costs = costs(&mut world.store.read().await.unwrap()).await;
    let estimate = costs.estimate(&Prices::built_in()).unwrap();
    assert!(estimate.committed() <= dollars(90.0), "{estimate:?}");
}
