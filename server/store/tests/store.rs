//! The store on real `SQLite` files: order under many writers, one active operation, secrets sealed in the file.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use model::build::BuildState;
use model::config::ConfigVars;
use model::formation::Scale;
use model::plan::{ReplicaWish, RolloutPhase};
use model::release::{CommitRef, ReleaseStatus, Version};
use model::size::Size;
use model::slug::SlugManifest;
use store::*;

struct World {
    dir: tempfile::TempDir,
    store: Store,
    vault: Vault,
    user: User,
    app: App,
}

async fn open(dir: &Path) -> Store {
    Store::open_file(&dir.join("paas.db")).await.unwrap()
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let vault = Vault::open_file(&dir.path().join("secret-key")).unwrap();
    let mut tx = store.write().await.unwrap();
    let user = create_user(&mut tx, "ann@example.org", Scope::Write).await.unwrap();
    let app = create_app(&mut tx, &"shop".parse().unwrap(), user.id).await.unwrap();
    tx.commit().await.unwrap();
    World { dir, store, vault, user, app }
}

fn config(key: &str, value: &str) -> ConfigVars {
    ConfigVars::default().changed([(key.parse().unwrap(), Some(value.to_owned()))]).unwrap()
}

fn release<'a>(world: &World, config: &'a ConfigVars) -> NewRelease<'a> {
    NewRelease {
        app: world.app.id,
        kind: ReleaseKind::Config,
        description: "Set A config vars".to_owned(),
        user: world.user.id,
        slug: None,
        config,
        commit: None,
        build: None,
        rollback_of: None,
    }
}

fn operation(world: &World, version: Version) -> NewOperation {
    NewOperation {
        app: world.app.id,
        kind: OperationKind::Config,
        version,
        phase: RolloutPhase::Rolling,
        deadline: Timestamp::now() + SignedDuration::from_mins(5),
        user: world.user.id,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_make_releases_without_a_gap_or_a_lock_error() {
    let world = world().await;
    let config = config("A", "1");
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (store, vault, config) = (world.store.clone(), world.vault.clone(), config.clone());
        let (app, user) = (world.app.id, world.user.id);
        writers.spawn(async move {
            let mut seen = store.read().await.unwrap();
            list_releases(&mut seen, app, ReleaseRange::newest(5)).await.unwrap();
            let mut tx = store.write().await.unwrap();
            let new = NewRelease {
                app,
                kind: ReleaseKind::Config,
                description: String::new(),
                user,
                slug: None,
                config: &config,
                commit: None,
                build: None,
                rollback_of: None,
            };
            let release = create_release(&mut tx, &vault, new).await.unwrap();
            tx.commit().await.unwrap();
            release.version.0
        });
    }
    let mut versions = writers.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_committed_leaves_no_trace() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    drop(tx);
    let mut tx = world.store.write().await.unwrap();
    let made = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    assert_eq!(made.version, Version(1));
}

#[tokio::test]
async fn config_values_are_sealed_in_the_file_and_open_after_a_restart() {
    let world = world().await;
    let secret = config("API_KEY", "s3ntinel-v4lue\nsecond line ü");
    let mut tx = world.store.write().await.unwrap();
    let made = create_release(&mut tx, &world.vault, release(&world, &secret)).await.unwrap();
    tx.commit().await.unwrap();
    let other = create_other_release(&world).await;
    world.store.close().await;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(8).any(|w| w == b"s3ntinel"), "{}", path.display());
    }
    let store = open(world.dir.path()).await;
    let vault = Vault::open_file(&world.dir.path().join("secret-key")).unwrap();
    let mut db = store.read().await.unwrap();
    assert_eq!(release_config(&mut db, &vault, made.id).await.unwrap(), secret);
    drop(db);
    // A sealed value that is moved to another row does not open there.
    let mut tx = store.write().await.unwrap();
    let moved = "update releases set config = (select config from releases where version = 1)";
    sqlx::query(moved).execute(&mut *tx).await.unwrap();
    assert!(release_config(&mut tx, &vault, other.id).await.is_err());
}

async fn create_other_release(world: &World) -> Release {
    let mut tx = world.store.write().await.unwrap();
    let config = config("A", "1");
    let made = create_release(&mut tx, &world.vault, release(world, &config)).await.unwrap();
    tx.commit().await.unwrap();
    made
}

#[tokio::test]
async fn a_newer_operation_supersedes_and_its_release_expires_the_older() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    let first = start_operation(&mut tx, operation(&world, v1.version)).await.unwrap();
    let v2 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    let second = start_operation(&mut tx, operation(&world, v2.version)).await.unwrap();
    assert!(second.generation > first.generation);
    assert_eq!(active_operation(&mut tx, world.app.id).await.unwrap().unwrap().id, second.id);
    let first = find_operation(&mut tx, first.id).await.unwrap().unwrap();
    assert_eq!(
        (first.state, first.superseded_by, first.reason.as_deref()),
        (OperationState::Superseded, Some(second.id), Some("superseded by v2"))
    );
    let v1 = find_release(&mut tx, world.app.id, v1.version).await.unwrap().unwrap();
    assert_eq!((v1.status, v1.reason.as_deref()), (ReleaseStatus::Expired, Some("superseded by v2")));
    // A restart of the same release does not end it.
    let restart = NewOperation { kind: OperationKind::Restart, ..operation(&world, v2.version) };
    start_operation(&mut tx, restart).await.unwrap();
    let v2 = find_release(&mut tx, world.app.id, v2.version).await.unwrap().unwrap();
    assert_eq!(v2.status, ReleaseStatus::Pending);
}

#[tokio::test]
async fn the_schema_itself_refuses_a_second_active_operation() {
    let world = world().await;
    let config = config("A", "1");
    let mut tx = world.store.write().await.unwrap();
    let v1 = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
    start_operation(&mut tx, operation(&world, v1.version)).await.unwrap();
    let copy = "insert into operations (id, app_id, kind, release_version, generation, phase, state, user_id, \
                created_at, deadline) select 'x', app_id, kind, release_version, generation, phase, state, \
                user_id, created_at, deadline from operations";
    assert!(sqlx::query(copy).execute(&mut *tx).await.is_err());
}

#[tokio::test]
async fn a_failed_release_does_not_count() {
    let world = world().await;
    let (good, bad) = (config("A", "1"), config("A", "2"));
    let mut tx = world.store.write().await.unwrap();
    let app = world.app.id;
    assert_eq!(newest_release_that_counts(&mut tx, app).await.unwrap(), None);
    let v1 = create_release(&mut tx, &world.vault, release(&world, &good)).await.unwrap();
    set_release_status(&mut tx, app, v1.version, ReleaseStatus::Succeeded, None).await.unwrap();
    let v2 = create_release(&mut tx, &world.vault, release(&world, &bad)).await.unwrap();
    assert_eq!(newest_release_that_counts(&mut tx, app).await.unwrap().unwrap().version, v2.version);
    assert!(set_release_status(&mut tx, app, v2.version, ReleaseStatus::Failed, Some("no")).await.unwrap());
    assert!(!set_release_status(&mut tx, app, v2.version, ReleaseStatus::Succeeded, None).await.unwrap());
    let counts = newest_release_that_counts(&mut tx, app).await.unwrap().unwrap();
    assert_eq!(counts.version, v1.version);
    assert_eq!(release_config(&mut tx, &world.vault, counts.id).await.unwrap(), good);
}

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

fn build(world: &World, commit: &str) -> NewBuild {
    let commit = CommitRef { id: commit.to_owned(), subject: "x".to_owned(), author: "Ann".to_owned() };
    NewBuild {
        id: model::id::BuildId::new(),
        app: world.app.id,
        user: world.user.id,
        commit: Some(commit),
        branch: Some("main".to_owned()),
        options: serde_json::json!({}),
    }
}

#[tokio::test]
async fn builds_of_an_app_run_one_at_a_time_in_their_order() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let deadline = Timestamp::now() + SignedDuration::from_mins(15);
    let one = enqueue_build(&mut tx, build(&world, "1")).await.unwrap();
    let two = enqueue_build(&mut tx, build(&world, "2")).await.unwrap();
    let app = world.app.id;
    assert_eq!(next_queued_build(&mut tx, app).await.unwrap().unwrap().id, one.id);
    assert!(start_build(&mut tx, one.id, deadline).await.unwrap());
    assert!(!start_build(&mut tx, two.id, deadline).await.unwrap(), "one runs already");
    assert!(!start_build(&mut tx, one.id, deadline).await.unwrap(), "it runs already");
    assert_eq!(find_unfinished_build_of(&mut tx, app, "1").await.unwrap().unwrap().id, one.id);
    let outcome = BuildOutcome {
        state: BuildState::Failed,
        reason: Some("no Procfile".to_owned()),
        hint: None,
        slug: None,
        durations: BTreeMap::from([("detect".to_owned(), 12)]),
    };
    assert!(finish_build(&mut tx, one.id, outcome.clone()).await.unwrap());
    assert!(!finish_build(&mut tx, one.id, outcome).await.unwrap(), "it had ended");
    assert!(start_build(&mut tx, two.id, deadline).await.unwrap());
    assert!(request_build_cancel(&mut tx, two.id, "cancelled").await.unwrap());
    let two = find_build(&mut tx, two.id).await.unwrap().unwrap();
    assert_eq!((two.state, two.cancel_requested, two.attempt), (BuildState::Running, true, 1));
    let three = enqueue_build(&mut tx, build(&world, "3")).await.unwrap();
    assert!(request_build_cancel(&mut tx, three.id, "cancelled by ann").await.unwrap());
    let three = find_build(&mut tx, three.id).await.unwrap().unwrap();
    assert_eq!((three.state, three.reason.as_deref()), (BuildState::Cancelled, Some("cancelled by ann")));
}

#[tokio::test]
async fn the_first_start_makes_one_administrator_whose_token_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let file = dir.path().join("admin-token");
    assert!(bootstrap_admin(&store, &file).await.unwrap());
    assert!(!bootstrap_admin(&store, &file).await.unwrap());
    let secret = std::fs::read_to_string(&file).unwrap();
    let mut tx = store.write().await.unwrap();
    let (token, user) = find_token(&mut tx, secret.trim()).await.unwrap().unwrap();
    assert_eq!((token.scope, user.scope), (Scope::Admin, Scope::Admin));
    assert!(find_token(&mut tx, "paas_wrong").await.unwrap().is_none());
    let new = NewToken {
        user: user.id,
        name: "old",
        scope: Scope::Read,
        expires_at: Some(Timestamp::now() - SignedDuration::from_secs(1)),
    };
    let (_, expired) = create_token(&mut tx, new).await.unwrap();
    assert!(find_token(&mut tx, expired.reveal()).await.unwrap().is_none());
    touch_token(&mut tx, token.id).await.unwrap();
    assert!(list_tokens(&mut tx, user.id).await.unwrap()[0].last_used_at.is_some());
    revoke_token(&mut tx, user.id, token.id).await.unwrap().unwrap();
    assert!(find_token(&mut tx, secret.trim()).await.unwrap().is_none());
    set_user_disabled(&mut tx, user.id, true).await.unwrap();
}

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
    let [drained] = &list_replicas_on(&mut tx, host.id).await.unwrap()[..] else { panic!() };
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
