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

/// Makes an app that takes its time to boot, starts to push it, and returns once its second release is under way.
fn rollout_under_way(platform: &TestPlatform, name: &str) -> (std::process::Child, String) {
    let app = platform.app(name);
    app.greets("one").deploy();
    app.write("Procfile", "web: sleep 3 && exec bin/web\n").greeting("two");
    let pusher = app.push_in_background();
    wait::until("the rollout to begin", || (app.json(&["releases"])[0]["status"] == "pending").then_some(()));
    (pusher, app.git(&["rev-parse", "HEAD"]))
}

#[test]
fn a_rollout_that_a_dead_server_left_is_finished_and_its_branch_moves() {
    let mut platform = TestPlatform::start();
    let (pusher, head) = rollout_under_way(&platform, "phoenix");
    platform.restart(false);
    let pushed = pusher.wait_with_output().unwrap();
    assert!(!pushed.status.success(), "the pusher cannot know how it ended: {pushed:?}");
    wait::until("the new release to serve", || {
        visitor::get(platform.router, "phoenix.localhost", "/").ok().filter(|answer| answer.body == "two")
    });
    let app = platform.known_app("phoenix");
    wait::until("the branch to move", || {
        app.git(&["ls-remote", "paas", "refs/heads/main"]).starts_with(&head).then_some(())
    });
    assert!(app.push().text.contains("up-to-date"));
}

#[test]
fn a_build_that_a_dead_server_left_is_built_again_and_serves() {
    let mut platform = TestPlatform::start();
    let mut pusher = {
        let app = platform.app("twice");
        app.greets("built").write("requirements.txt", "").write("bin/pre_compile", "#!/bin/bash\nsleep 4\n");
        app.executable("bin/pre_compile").commit("Build slowly");
        let pusher = app.push_in_background();
        wait::until("the build to run", || (app.json(&["builds"])[0]["state"] == "running").then_some(()));
        pusher
    };
    platform.restart(false);
    pusher.wait().unwrap();
    let app = platform.known_app("twice");
    let head = app.git(&["rev-parse", "HEAD"]);
    wait::until("the branch to move", || {
        app.git(&["ls-remote", "paas", "refs/heads/main"]).starts_with(&head).then_some(())
    });
    assert_eq!(app.get("/").body, "built");
    let left = std::fs::read_dir(platform.data.join("builds")).unwrap().flatten();
    for build in left {
        let names = || std::fs::read_dir(build.path()).unwrap().map(|entry| entry.unwrap().file_name());
        wait::until("only the log to be left of the build", || {
            (names().collect::<Vec<_>>() == ["log"]).then_some(())
        });
    }
}

#[test]
fn a_server_that_is_told_to_stop_says_so_to_the_pusher_and_ends_soon() {
    let mut platform = TestPlatform::start();
    let (pusher, head) = rollout_under_way(&platform, "patient");
    let begun = std::time::Instant::now();
    platform.restart(true);
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
    let pushed = crate::app::text(&pusher.wait_with_output().unwrap());
    assert!(pushed.contains("The server restarts"), "{pushed}");
    let app = platform.known_app("patient");
    wait::until("the branch to move", || {
        app.git(&["ls-remote", "paas", "refs/heads/main"]).starts_with(&head).then_some(())
    });
    assert_eq!(app.get("/").body, "two");
}
