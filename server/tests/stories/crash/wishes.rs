//! The server dies while a scale, a change of config, a rollback, a restart, or the end of a replica is brought about.

use std::collections::BTreeSet;
use std::process::Stdio;

use fail_point::Step;

use super::{converges, dies_at};
use crate::platform::{TestPlatform, binary};

/// A change during which the server dies.
pub(super) struct Case {
    pub(super) step: Step,
    command: &'static [&'static str],
    then: Then,
}

/// What must be so in the end.
enum Then {
    /// So many replicas, those that stay untouched.
    Replicas(usize),
    /// The config var `CASE` has this value.
    Config(&'static str),
    /// No replica of before is left.
    AllNew,
    /// The web replica is new.
    WebNew,
}

const fn case(step: Step, command: &'static [&'static str], then: Then) -> Case {
    Case { step, command, then }
}

/// Each begins where the one before ended.
pub(super) const CASES: &[Case] = &[
    case(Step::Scaled, &["ps:scale", "web=2", "worker=1"], Then::Replicas(3)),
    case(Step::DrainWished, &["ps:scale", "web=1"], Then::Replicas(2)),
    case(Step::ReplicaWished, &["ps:scale", "web=2"], Then::Replicas(3)),
    case(Step::StopWished, &["ps:scale", "web=1"], Then::Replicas(2)),
    case(Step::ReplicaPrepared, &["ps:scale", "web=2"], Then::Replicas(3)),
    case(Step::ReplicaStopping, &["ps:scale", "web=1"], Then::Replicas(2)),
    case(Step::SupervisorStarted, &["ps:scale", "web=2"], Then::Replicas(3)),
    case(Step::ReplicaClearing, &["ps:scale", "web=1"], Then::Replicas(2)),
    case(Step::ReplicaStarted, &["ps:scale", "web=2"], Then::Replicas(3)),
    case(Step::ReplicaCleared, &["ps:scale", "web=1"], Then::Replicas(2)),
    case(Step::ReplicaForgotten, &["ps:scale", "worker=0"], Then::Replicas(1)),
    case(Step::ConfigChanged, &["config:set", "CASE=a"], Then::Config("a")),
    case(Step::SwitchWritten, &["config:set", "CASE=b"], Then::Config("b")),
    case(Step::Switched, &["config:set", "CASE=c"], Then::Config("c")),
    case(Step::RolledBack, &["rollback", "v2"], Then::Config("a")),
    case(Step::ReplicaHealthy, &["rollback", "v3"], Then::Config("b")),
    case(Step::Switched, &["rollback", "v4"], Then::Config("c")),
    case(Step::RestartBegun, &["ps:restart"], Then::AllNew),
    case(Step::ReplicaHealthy, &["ps:restart"], Then::AllNew),
    case(Step::Switched, &["ps:restart"], Then::AllNew),
    case(Step::StopWished, &["ps:restart"], Then::AllNew),
    case(Step::RestartBegun, &["ps:restart", "web.1"], Then::WebNew),
    case(Step::DrainWished, &["ps:restart", "web.1"], Then::WebNew),
];

#[test]
fn what_was_wished_comes_true_wherever_the_server_dies() {
    let mut platform = TestPlatform::start();
    let app = platform.app("wishes");
    app.greets("here").deploy();
    app.paasctl(&["settings:set", "watch-seconds=0"]);
    let mut before = ids(&platform, "begun");
    for case in CASES {
        let what = format!("{:?} in {:?}", case.step, case.command);
        let mut client = dies_at(&mut platform, case.step, |platform| {
            let mut client = platform.command(&binary("paasctl"), &platform.scratch().join("wishes"));
            client.args(case.command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
        client.kill().unwrap();
        client.wait().unwrap();
        before = comes_true(&platform, case, &before, &what);
    }
}

fn ids(platform: &TestPlatform, what: &str) -> BTreeSet<String> {
    converges(platform, what).replicas.into_keys().collect()
}

fn comes_true(
    platform: &TestPlatform,
    case: &Case,
    before: &BTreeSet<String>,
    what: &str,
) -> BTreeSet<String> {
    let after = ids(platform, what);
    let app = platform.known_app("wishes");
    let answer = app.get("/env/CASE");
    assert_eq!(answer.status, 200, "{what}");
    match case.then {
        Then::Replicas(count) => {
            assert_eq!(after.len(), count, "{what}");
            let fewer = count.min(before.len());
            assert_eq!(before.intersection(&after).count(), fewer, "{what}: some were replaced");
        }
        Then::Config(value) => assert_eq!(answer.body, value, "{what}"),
        Then::AllNew => assert!(before.is_disjoint(&after), "{what}: {before:?}, {after:?}"),
        Then::WebNew => assert_eq!(before.difference(&after).count(), 1, "{what}: {before:?}, {after:?}"),
    }
    after
}
