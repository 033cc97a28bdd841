//! The server dies during a push. What was begun goes on without the pusher, and the next push of the commit finds it.

use fail_point::Step;

use super::{converges, dies_at, dies_for_good_at, is_deployed};
use crate::platform::TestPlatform;
use crate::wait;

/// The way of a push that succeeds, from its arrival to its answer.
pub(super) const STEPS: &[Step] = &[
    Step::ObjectsIn,
    Step::CommitKept,
    Step::BuildQueued,
    Step::BuildRunning,
    Step::SourceWritten,
    Step::BuildCompiling,
    Step::SlugPacked,
    Step::SlugStored,
    Step::ReleaseWritten,
    Step::ReleaseMade,
    Step::ReleaseCommandWished,
    Step::SlugMounted,
    Step::ReplicaPrepared,
    Step::SupervisorStarted,
    Step::ReplicaStarted,
    Step::ReleaseCommandDone,
    Step::ReplicaWished,
    Step::ReplicaHealthy,
    Step::SwitchWritten,
    Step::Switched,
    Step::BranchBehind,
    Step::BranchMoved,
    Step::Answering,
];

/// Those of the other stories here.
pub(super) const OTHERS: &[Step] = &[Step::BuildRequeued, Step::RolloutFailed];

fn begin(platform: &TestPlatform, name: &str) {
    let app = platform.app(name);
    app.greets("0").write("Procfile", "release: echo migrated\nweb: bin/web\nworker: sleep 1000\n");
    app.commit("With a release command").deploy();
    app.paasctl(&["settings:set", "watch-seconds=0"]);
    app.paasctl(&["ps:scale", "worker=1"]);
}

/// Odd steps are finished by the server alone before the next push, even ones together with it.
fn goes_through(steps: impl Iterator<Item = (usize, Step)>, name: &str) {
    let mut platform = TestPlatform::start();
    begin(&platform, name);
    for (number, step) in steps {
        let what = format!("{step:?}");
        let greeting = number.to_string();
        let known_before = number < 2;
        let pusher = dies_at(&mut platform, step, |platform| {
            platform.known_app(name).greeting(&greeting).push_in_background()
        });
        let pushed = pusher.wait_with_output().unwrap();
        assert!(!pushed.status.success(), "{what}: nobody told how it ended: {pushed:?}");
        let app = platform.known_app(name);
        if number % 2 == 1 && !known_before {
            let head = app.git(&["rev-parse", "HEAD"]);
            wait::until(&format!("{what}: the branch to move"), || {
                app.git(&["ls-remote", "paas", "refs/heads/main"]).starts_with(&head).then_some(())
            });
            converges(&platform, &what);
        }
        is_deployed(&app, &greeting, &what);
    }
}

#[test]
fn a_push_whose_server_dies_before_its_release_is_built_once_and_serves() {
    goes_through(STEPS.iter().copied().enumerate().take(10), "early");
}

#[test]
fn a_push_whose_server_dies_during_its_rollout_serves_and_its_branch_moves() {
    goes_through(STEPS.iter().copied().enumerate().skip(10), "late");
}

#[test]
fn a_build_that_two_servers_died_at_is_still_built() {
    let mut platform = TestPlatform::start();
    begin(&platform, "twice");
    let begin = |platform: &TestPlatform| platform.known_app("twice").greeting("2").push_in_background();
    let mut pusher = dies_for_good_at(&mut platform, Step::BuildRunning, begin);
    pusher.wait().unwrap();
    platform.start_doomed(Step::BuildRequeued);
    platform.wait_for_death(Step::BuildRequeued);
    platform.start_again();
    is_deployed(&platform.known_app("twice"), "2", "twice");
}

#[test]
fn a_rollout_that_failed_as_the_server_died_has_touched_nothing_and_the_next_push_says_why() {
    let mut platform = TestPlatform::start();
    begin(&platform, "broken");
    let app = platform.known_app("broken");
    let good = app.git(&["rev-parse", "HEAD"]);
    app.write("Procfile", "web: exit 3\n").commit("Break it");
    let begin = |platform: &TestPlatform| platform.known_app("broken").push_in_background();
    let mut pusher = dies_at(&mut platform, Step::RolloutFailed, begin);
    pusher.wait().unwrap();
    let app = platform.known_app("broken");
    let ledger = converges(&platform, "failed");
    assert_eq!(ledger.commits["broken"].as_ref(), Some(&good));
    let pushed = app.push();
    assert!(!pushed.ok && pushed.text.contains("exited with status 3"), "{}", pushed.text);
    let tip = app.git(&["ls-remote", "paas", "refs/heads/main"]);
    assert!(tip.starts_with(&good), "{tip}");
    app.write("Procfile", "web: bin/web\nworker: sleep 1000\n").greeting("mended");
    is_deployed(&app, "mended", "mended");
}
