//! What the tests begin with: a store with one user and one app, and what they put into it. Which database it is on
//! `crate::database` says.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use model::config::ConfigVars;
use model::id::HostId;
use model::plan::{ReplicaWish, RolloutPhase};
use model::release::Version;
use model::size::Size;
use store::*;

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) user: User,
    pub(crate) app: App,
}

pub(crate) async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::database::open(dir.path()).await;
    let vault = Vault::open_file(&dir.path().join("secret-key")).unwrap();
    let mut tx = store.write().await.unwrap();
    let user = create_user(&mut tx, "ann@example.org", Scope::Write).await.unwrap();
    let app = create_app(&mut tx, &"shop".parse().unwrap(), user.id).await.unwrap();
    tx.commit().await.unwrap();
    World { dir, store, vault, user, app }
}

pub(crate) fn config(key: &str, value: &str) -> ConfigVars {
    ConfigVars::default().changed([(key.parse().unwrap(), Some(value.into()))]).unwrap()
}

pub(crate) fn release<'a>(world: &World, config: &'a ConfigVars) -> NewRelease<'a> {
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

pub(crate) fn operation(world: &World, version: Version) -> NewOperation {
    NewOperation {
        app: world.app.id,
        kind: OperationKind::Config,
        version,
        phase: RolloutPhase::Rolling,
        deadline: Timestamp::now() + SignedDuration::from_mins(5),
        user: world.user.id,
    }
}

pub(crate) fn replica(world: &World, version: Version, host: HostId) -> NewReplica {
    NewReplica {
        app: world.app.id,
        version,
        generation: 1,
        process: "web".parse().unwrap(),
        number: 1,
        host,
        wish: ReplicaWish::Run,
        command: None,
        size: Size::default(),
        operation: None,
    }
}

pub(crate) fn lease(owner: &str) -> Lease {
    Lease { owner: owner.to_owned(), until: Timestamp::now() + SignedDuration::from_mins(1) }
}
