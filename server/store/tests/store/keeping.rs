//! Slugs beyond the reach of a rollback are given up, and what is left of old builds and operations is bounded.

use std::collections::BTreeMap;

use model::build::BuildState;
use model::keep::{self, ImageUse};
use model::release::{ReleaseStatus, Version};
use model::slug::{Digest, SlugManifest};
use store::*;

use crate::builds::build;
use crate::world::{World, config, operation, release, world};

fn digest(number: u64) -> Digest {
    format!("{number:064x}").parse().unwrap()
}

/// Releases a slug of its own, which serves from then on.
async fn deploy(db: &mut Db, world: &World, number: u64) -> Release {
    let config = config("A", "1");
    let slug = upsert_slug(db, world.app.id, &digest(number), 1, &SlugManifest::default()).await.unwrap();
    let new = NewRelease { slug: Some(slug.id), ..release(world, &config) };
    let made = create_release(db, &world.vault, new).await.unwrap();
    set_release_status(db, world.app.id, made.version, ReleaseStatus::Succeeded, None).await.unwrap();
    set_serving(db, world.app.id, Serving { version: made.version, generation: 1 }).await.unwrap();
    made
}

async fn collect(db: &mut Db, world: &World) -> Vec<Digest> {
    let mut gone = Vec::new();
    for slug in app_slugs(db, world.app.id).await.unwrap().unneeded() {
        gone.push(collect_slug(db, slug).await.unwrap());
    }
    gone.sort();
    gone
}

#[tokio::test]
async fn what_is_out_of_reach_is_given_up_and_no_release_is_made_of_it() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    for number in 1..=20 {
        let made = deploy(&mut tx, &world, number).await;
        // A change of config is a release without a slug of its own, and counts for nothing.
        let changed = config("A", &number.to_string());
        let again = NewRelease { slug: made.slug.map(|slug| slug.id), ..release(&world, &changed) };
        create_release(&mut tx, &world.vault, again).await.unwrap();
    }
    assert_eq!(apps_with_old_slugs(&mut tx).await.unwrap(), []);
    for number in 21..=23 {
        deploy(&mut tx, &world, number).await;
    }
    assert_eq!(apps_with_old_slugs(&mut tx).await.unwrap(), [world.app.id]);
    assert_eq!(collect(&mut tx, &world).await, [digest(1), digest(2), digest(3)]);
    assert_eq!(apps_with_old_slugs(&mut tx).await.unwrap(), []);
    let (config, old) = (config("A", "1"), Version(3));
    let old = find_release(&mut tx, world.app.id, old).await.unwrap().unwrap().slug.unwrap();
    assert!(!old.kept);
    let again = NewRelease { slug: Some(old.id), ..release(&world, &config) };
    let refused = create_release(&mut tx, &world.vault, again).await.unwrap_err();
    assert!(refused.to_string().contains("no longer kept"), "{refused}");
    // Built again it is the same slug, and kept.
    deploy(&mut tx, &world, 2).await;
    let found = image_use(&mut tx, &digest(2)).await.unwrap();
    assert!(found.needed && found.released_at.is_some());
    assert!(!image_use(&mut tx, &digest(1)).await.unwrap().needed);
    assert_eq!(image_use(&mut tx, &digest(99)).await.unwrap(), ImageUse::default());
    assert!(!kept_images(&mut tx).await.unwrap().contains(&digest(1)));
    let asked = [digest(1), digest(2), digest(23), digest(99)].into();
    assert_eq!(kept_of(&mut tx, &asked).await.unwrap(), [digest(2), digest(23)].into());
}

#[tokio::test]
async fn what_serves_or_is_rolled_out_stays_however_old_it_is() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let v1 = deploy(&mut tx, &world, 1).await;
    let config = config("A", "1");
    for number in 2..=60 {
        let slug =
            upsert_slug(&mut tx, world.app.id, &digest(number), 1, &SlugManifest::default()).await.unwrap();
        let new = NewRelease { slug: Some(slug.id), ..release(&world, &config) };
        let made = create_release(&mut tx, &world.vault, new).await.unwrap();
        if number == 2 {
            start_operation(&mut tx, operation(&world, made.version)).await.unwrap();
        }
        set_release_status(&mut tx, world.app.id, made.version, ReleaseStatus::Failed, None).await.unwrap();
    }
    let gone = collect(&mut tx, &world).await;
    assert_eq!(gone, (3..=40).map(digest).collect::<Vec<_>>());
    delete_app(&mut tx, world.app.id).await.unwrap();
    assert_eq!(apps_with_old_slugs(&mut tx).await.unwrap(), [world.app.id]);
    let left = collect(&mut tx, &world).await;
    assert!(left.contains(&v1.slug.unwrap().digest) && left.contains(&digest(60)), "{left:?}");
}

#[tokio::test]
async fn old_builds_lose_their_output_then_their_trace_and_go_when_no_release_has_them() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let count = u64::from(keep::BUILDS) + 10;
    let mut ids = Vec::new();
    for number in 0..count {
        let id = enqueue_build(&mut tx, build(&world, "1")).await.unwrap().id;
        let (reason, hint, slug, durations) = (None, None, None, BTreeMap::new());
        let outcome = BuildOutcome { state: BuildState::Failed, reason, hint, slug, durations };
        finish_build(&mut tx, id, outcome).await.unwrap();
        set_build_trace(&mut tx, id, &model::detection::DetectionTrace::default()).await.unwrap();
        if number == 0 {
            let config = config("A", "1");
            let new = NewRelease { build: Some(id), ..release(&world, &config) };
            create_release(&mut tx, &world.vault, new).await.unwrap();
        }
        ids.push(id);
    }
    assert_eq!(builds_to_trim(&mut tx, 1000).await.unwrap(), []);
    for id in builds_to_silence(&mut tx, 1000).await.unwrap() {
        silence_build(&mut tx, id).await.unwrap();
    }
    assert_eq!(builds_to_silence(&mut tx, 1000).await.unwrap(), []);
    for id in builds_to_trim(&mut tx, 1000).await.unwrap() {
        trim_build(&mut tx, id).await.unwrap();
    }
    assert_eq!(builds_to_trim(&mut tx, 1000).await.unwrap(), []);
    let left = list_builds(&mut tx, world.app.id, 1000).await.unwrap();
    assert_eq!(left.len(), keep::BUILDS as usize + 1);
    assert_eq!(left.iter().filter(|build| build.has_output).count(), keep::BUILD_LOGS as usize);
    let first = find_build(&mut tx, ids[0]).await.unwrap().unwrap();
    assert!(first.trace.is_none() && !first.has_output, "its release has it");
    assert!(find_build(&mut tx, ids[1]).await.unwrap().is_none(), "nobody has it");
}

#[tokio::test]
async fn the_steps_of_old_operations_go_and_the_operations_stay() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..keep::OPERATIONS + 2 {
        let begun = start_operation(&mut tx, operation(&world, v1.version)).await.unwrap();
        add_step(&mut tx, begun.id, "begun").await.unwrap();
        ids.push(begun.id);
    }
    let active = *ids.last().unwrap();
    assert!(trim_operations(&mut tx).await.unwrap() > 0);
    assert_eq!(list_steps(&mut tx, ids[0]).await.unwrap(), []);
    assert_eq!(list_steps(&mut tx, active).await.unwrap().len(), 1);
    assert_eq!(list_steps(&mut tx, ids[10]).await.unwrap().len(), 1);
    let of = OperationsOf::App(world.app.id);
    let listed = newest_operations(&mut tx, of, None, 1000).await.unwrap();
    assert_eq!(listed.len(), ids.len());
    assert_eq!((listed[0].operation.id, listed[0].last_step.as_deref()), (active, Some("begun")));
    let under_way = newest_operations(&mut tx, OperationsOf::Everybody, Some(OperationState::Active), 10);
    assert_eq!(under_way.await.unwrap().len(), 1);
    let mine = newest_operations(&mut tx, OperationsOf::User(world.user.id), None, 3).await.unwrap();
    assert_eq!(mine.len(), 3);
    let other = create_user(&mut tx, "bob@example.org", model::access::Scope::Write).await.unwrap();
    let others = newest_operations(&mut tx, OperationsOf::User(other.id), None, 3).await.unwrap();
    assert_eq!(others, []);
    assert_eq!(trim_operations(&mut tx).await.unwrap(), 0);
}

/// Deploys, and goes back to what was within reach before, which by then may not be.
async fn deploy_and_go_back(world: &World) {
    for number in 1..=80 {
        let mut tx = world.store.write().await.unwrap();
        let newest = deploy(&mut tx, world, number).await.version.0;
        tx.commit().await.unwrap();
        tokio::task::yield_now().await;
        for back in [19, 20, 25] {
            let mut tx = world.store.write().await.unwrap();
            let Some(old) =
                find_release(&mut tx, world.app.id, Version(newest.saturating_sub(back))).await.unwrap()
            else {
                continue;
            };
            let config = config("A", "1");
            let new = NewRelease { slug: old.slug.map(|slug| slug.id), ..release(world, &config) };
            if create_release(&mut tx, &world.vault, new).await.is_ok() {
                tx.commit().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn deploys_and_rollbacks_beside_a_collection_never_release_what_is_gone() {
    let world = world().await;
    let collecting = async {
        loop {
            let mut tx = world.store.write().await.unwrap();
            collect(&mut tx, &world).await;
            tx.commit().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = deploy_and_go_back(&world) => {}
        () = collecting => {}
    }
    let mut db = world.store.read().await.unwrap();
    let releases = list_releases(&mut db, world.app.id, ReleaseRange::newest(20)).await.unwrap();
    assert!(releases.len() == 20 && releases.iter().all(|release| release.slug.as_ref().unwrap().kept));
    let kept = kept_images(&mut db).await.unwrap().len();
    assert!(kept <= 40, "{kept} are kept");
}
