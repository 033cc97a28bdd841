//! A release whose config vars cannot be opened concerns its app alone.

use std::collections::BTreeMap;

use store::*;

use crate::world::{config, operation, release, world};

#[tokio::test]
async fn one_release_that_cannot_be_read_hides_no_other_app() {
    let world = world().await;
    let other_key = Vault::new(&[7; 32]);
    let vars = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let second = create_app(&mut tx, &"blog".parse().unwrap(), world.user.id).await.unwrap();
    let broken = create_release(&mut tx, &other_key, release(&world, &vars)).await.unwrap();
    let new = NewRelease { app: second.id, ..release(&world, &vars) };
    let sound = create_release(&mut tx, &world.vault, new).await.unwrap();
    for (app, version) in [(world.app.id, broken.version), (second.id, sound.version)] {
        let new = NewOperation { app, ..operation(&world, version) };
        start_operation(&mut tx, new).await.unwrap();
    }

    let mut cache = ReleaseCache::default();
    for _ in 0..2 {
        let found = desired_apps(&mut tx, &world.vault, &mut cache).await.unwrap();
        let found: BTreeMap<_, _> = found.into_iter().map(|desired| (desired.app.id, desired)).collect();
        let (shop, blog) = (&found[&world.app.id], &found[&second.id]);
        assert!(shop.unreadable[&broken.version].contains("cannot be opened"), "{:?}", shop.unreadable);
        assert!(shop.releases.is_empty() && blog.unreadable.is_empty());
        assert_eq!(blog.releases[&sound.version].config, vars);
    }
    let found = desired_apps(&mut tx, &other_key, &mut cache).await.unwrap();
    let shop = found.iter().find(|desired| desired.app.id == world.app.id).unwrap();
    assert_eq!(shop.releases[&broken.version].config, vars, "it is there as soon as it can be read");
    assert!(shop.unreadable.is_empty());
}
