//! Apps and what belongs to them: names, user ids, slugs, and all that is found again after a restart.

use std::collections::BTreeMap;

use model::access::Scope;
use model::slug::SlugManifest;
use store::*;

use crate::database::open;
use crate::world::world;

#[tokio::test]
async fn a_deleted_app_frees_its_name_but_never_its_uid() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let name = "shop".parse().unwrap();
    let taken = create_app(&mut tx, &name, world.user.id).await;
    assert!(matches!(taken, Err(Error::Taken { what: "Name" })), "{taken:?}");
    create_domain(&mut tx, world.app.id, &"shop.example.org".parse().unwrap()).await.unwrap();
    delete_app(&mut tx, world.app.id).await.unwrap();
    assert_eq!(find_app(&mut tx, "shop").await.unwrap(), None);
    assert_eq!(find_app(&mut tx, &world.app.id.to_string()).await.unwrap(), None);
    assert!(find_app_by_id(&mut tx, world.app.id).await.unwrap().unwrap().deleted_at.is_some());
    let again = create_app(&mut tx, &name, world.user.id).await.unwrap();
    create_domain(&mut tx, again.id, &"shop.example.org".parse().unwrap()).await.unwrap();
    assert!(u64::from(world.app.uid) == FIRST_UID && again.uid > world.app.uid);
    assert_eq!(count_apps(&mut tx).await.unwrap(), 1);
    assert_eq!(list_apps_of(&mut tx, world.user.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_slug_has_the_same_id() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let digest = "a".repeat(64).parse().unwrap();
    let manifest = SlugManifest { stack: "debian-12".to_owned(), ..SlugManifest::default() };
    let one = upsert_slug(&mut tx, world.app.id, &digest, 10, &manifest).await.unwrap();
    let two = upsert_slug(&mut tx, world.app.id, &digest, 10, &manifest).await.unwrap();
    assert_eq!(one, two);
    assert_eq!(find_slug(&mut tx, one.id).await.unwrap(), Some(one));
}

#[tokio::test]
async fn the_rest_is_found_as_it_was_stored_and_migrations_run_twice() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let bob = create_user(&mut tx, "bob@example.org", Scope::Write).await.unwrap();
    set_collaborator(&mut tx, world.app.id, bob.id, Scope::Read).await.unwrap();
    set_collaborator(&mut tx, world.app.id, bob.id, Scope::Write).await.unwrap();
    let pin =
        model::pins::Pin { version: "3.11.2".to_owned(), requested: None, origin: "default".to_owned() };
    let pins = BTreeMap::from([("python".to_owned(), pin)]);
    set_pins(&mut tx, world.app.id, &pins).await.unwrap();
    let mut settings = world.app.settings.clone();
    settings.maintenance = true;
    set_settings(&mut tx, world.app.id, &settings).await.unwrap();
    rename_app(&mut tx, world.app.id, &"store".parse().unwrap()).await.unwrap();
    assert_eq!(world.app.stack, model::stack::BuildStack::Buildpacks);
    set_stack(&mut tx, world.app.id, model::stack::BuildStack::Container).await.unwrap();
    let set = find_app_by_id(&mut tx, world.app.id).await.unwrap().unwrap();
    assert_eq!(set.stack, model::stack::BuildStack::Container);
    let activity = NewActivity {
        user: Some((bob.id, bob.email.clone())),
        action: "app.rename".to_owned(),
        app: Some((world.app.id, "store".to_owned())),
        ..NewActivity::default()
    };
    create_activity(&mut tx, activity).await.unwrap();
    set_fact(&mut tx, "stack", "debian-11").await.unwrap();
    set_fact(&mut tx, "stack", "debian-12").await.unwrap();
    tx.commit().await.unwrap();
    world.store.close().await;

    let store = open(world.dir.path()).await;
    let mut db = store.read().await.unwrap();
    let app = find_app(&mut db, "store").await.unwrap().unwrap();
    assert!(app.settings.maintenance && app.id == world.app.id);
    assert_eq!(collaborator_scope(&mut db, app.id, bob.id).await.unwrap(), Some(Scope::Write));
    assert_eq!(list_apps_of(&mut db, bob.id).await.unwrap(), std::slice::from_ref(&app));
    assert_eq!(find_pins(&mut db, app.id).await.unwrap(), pins);
    assert_eq!(find_fact(&mut db, "stack").await.unwrap().as_deref(), Some("debian-12"));
    let [noted] = &list_activities(&mut db, Some(app.id), 10).await.unwrap()[..] else { panic!() };
    assert_eq!((noted.action.as_str(), noted.user_email.as_deref()), ("app.rename", Some("bob@example.org")));
    assert_eq!(list_activities(&mut db, None, 10).await.unwrap().len(), 1);
}
