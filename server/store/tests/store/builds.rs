//! Builds: one at a time for each app, in their order, and cancelled while they wait or run.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::build::BuildState;
use model::release::CommitRef;
use store::*;

use crate::world::{World, lease, world};

pub(crate) fn build(world: &World, commit: &str) -> NewBuild {
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
    let lease = lease("here");
    let one = enqueue_build(&mut tx, build(&world, "1")).await.unwrap();
    let two = enqueue_build(&mut tx, build(&world, "2")).await.unwrap();
    let app = world.app.id;
    let waiting: Vec<_> =
        list_unfinished_builds(&mut tx).await.unwrap().iter().map(|build| build.id).collect();
    assert_eq!(waiting, [one.id, two.id]);
    assert!(start_build(&mut tx, one.id, deadline, &lease).await.unwrap());
    assert!(!start_build(&mut tx, two.id, deadline, &lease).await.unwrap(), "one runs already");
    assert!(!start_build(&mut tx, one.id, deadline, &lease).await.unwrap(), "it runs already");
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
    assert!(start_build(&mut tx, two.id, deadline, &lease).await.unwrap());
    assert!(request_build_cancel(&mut tx, two.id, "cancelled").await.unwrap());
    let two = find_build(&mut tx, two.id).await.unwrap().unwrap();
    assert_eq!((two.state, two.cancel_requested, two.attempt), (BuildState::Running, true, 1));
    let three = enqueue_build(&mut tx, build(&world, "3")).await.unwrap();
    assert!(request_build_cancel(&mut tx, three.id, "cancelled by ann").await.unwrap());
    let three = find_build(&mut tx, three.id).await.unwrap().unwrap();
    assert_eq!((three.state, three.reason.as_deref()), (BuildState::Cancelled, Some("cancelled by ann")));
}
