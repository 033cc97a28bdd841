//! What the reconcile loop reads: everything about apps that have something to do, and nothing of the others.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::formation::Scale;
use model::plan::ReplicaWish;
use model::size::Size;
use model::slug::SlugManifest;
use store::*;

use crate::world::{config, operation, release, world};

#[tokio::test]
async fn the_reconcile_loop_gets_all_it_needs_and_no_idle_apps() {
    let world = world().await;
    let app = world.app.id;
    let mut cache = ReleaseCache::default();
    let mut tx = world.store.write().await.unwrap();
    assert!(desired_apps(&mut tx, &world.vault, &mut cache).await.unwrap().is_empty());
    let config = config("A", "1");
    let manifest = SlugManifest {
        processes: BTreeMap::from([("web".parse().unwrap(), "serve".to_owned())]),
        ..SlugManifest::default()
    };
    let slug = upsert_slug(&mut tx, app, &"b".repeat(64).parse().unwrap(), 10, &manifest).await.unwrap();
    let new = NewRelease { slug: Some(slug.id), ..release(&world, &config) };
    let made = create_release(&mut tx, &world.vault, new).await.unwrap();
    let scale = Scale { quantity: 2, size: Size::Standard2X };
    set_scale(&mut tx, app, &"web".parse().unwrap(), scale).await.unwrap();
    ensure_scale(&mut tx, app, &"web".parse().unwrap(), Scale::default()).await.unwrap();
    let operation = start_operation(&mut tx, operation(&world, made.version)).await.unwrap();
    add_step(&mut tx, operation.id, "starting 2 replicas").await.unwrap();
    add_step(&mut tx, operation.id, "2 of 2 healthy").await.unwrap();
    let host = ensure_host(&mut tx, "local", "here").await.unwrap();
    assert_eq!(ensure_host(&mut tx, "local", "here").await.unwrap(), host);
    let replica = create_replica(&mut tx, new_replica(&operation, &host)).await.unwrap();
    create_domain(&mut tx, app, &"shop.example.org".parse().unwrap()).await.unwrap();

    let desired = desired_apps(&mut tx, &world.vault, &mut cache).await.unwrap();
    let [found] = desired.as_slice() else { panic!("{desired:?}") };
    assert_eq!(found.operation.as_ref(), Some(&operation));
    assert_eq!(found.replicas, std::slice::from_ref(&replica));
    assert_eq!(found.formation["web"], scale);
    assert_eq!(found.domains[0].as_str(), "shop.example.org");
    let wanted = &found.releases[&made.version];
    assert_eq!((wanted.config.clone(), &wanted.slug.as_ref().unwrap().1), (config, &manifest));
    let steps = list_steps(&mut tx, operation.id).await.unwrap();
    assert_eq!(
        steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>(),
        ["starting 2 replicas", "2 of 2 healthy"]
    );

    let until = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
    set_wish(&mut tx, replica.id, ReplicaWish::Drain { until }).await.unwrap();
    set_replace(&mut tx, replica.id, true).await.unwrap();
    let [drained] = &list_replicas(&mut tx, world.app.id).await.unwrap()[..] else { panic!() };
    assert_eq!((drained.wish, drained.replace), (ReplicaWish::Drain { until }, true));
    delete_replica(&mut tx, replica.id).await.unwrap();
    finish_operation(&mut tx, operation.id, OperationState::Succeeded, None).await.unwrap();
    assert!(desired_apps(&mut tx, &world.vault, &mut cache).await.unwrap().is_empty());
    let serving = Serving { version: made.version, generation: operation.generation };
    set_serving(&mut tx, app, serving).await.unwrap();
    let desired = desired_apps(&mut tx, &world.vault, &mut cache).await.unwrap();
    assert_eq!(desired[0].app.serving, Some(serving));
    assert!(desired[0].releases.contains_key(&made.version));
}

fn new_replica(operation: &Operation, host: &Host) -> NewReplica {
    NewReplica {
        app: operation.app_id,
        version: operation.version,
        generation: operation.generation,
        process: "web".parse().unwrap(),
        number: 1,
        host: host.id,
        wish: ReplicaWish::Run,
        command: None,
        size: Size::Standard1X,
        operation: Some(operation.id),
    }
}
