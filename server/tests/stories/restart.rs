//! What survives the server.

use std::ffi::OsString;

use crate::platform::TestPlatform;
use crate::{visitor, wait};

fn replicas(platform: &TestPlatform) -> Vec<OsString> {
    let entries = std::fs::read_dir(platform.data.join("agent/replicas")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn replicas_outlive_a_killed_server_and_are_adopted() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("survivor");
        app.greets("one").deploy();
        app.paasctl(&["config:set", "BORN=before"]);
        app.host()
    };
    let before = wait::until("the replica of before to end", || {
        Some(replicas(&platform)).filter(|replicas| replicas.len() == 1)
    });
    for orderly in [true, false] {
        platform.restart(orderly);
        let answer = wait::until("the app to answer again", || {
            visitor::get(platform.router, &host, "/env/BORN").ok().filter(|answer| answer.status == 200)
        });
        assert_eq!(answer.body, "before");
        assert_eq!(replicas(&platform), before, "no replica was started anew");
    }
}

#[test]
fn stopping_the_platform_ends_everything_and_starting_it_brings_everything_back() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("sleeper");
        app.greets("awake").deploy();
        app.host()
    };
    platform.stop();
    assert_eq!(replicas(&platform).len(), 0);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(platform.data.to_str().unwrap()), "{mounts}");
    platform.start_again();
    wait::until("the app to answer again", || {
        visitor::get(platform.router, &host, "/").ok().filter(|answer| answer.body == "awake")
    });
}
