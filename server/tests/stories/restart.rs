//! What survives the server.

use std::ffi::OsString;

use crate::load::{Load, Outcome};
use crate::platform::TestPlatform;
use crate::{visitor, wait};

/// How many visitors come in a second.
const PER_SECOND: u32 = 200;

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
fn a_server_that_answers_visitors_does_not_die_of_being_told_to_leave() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("early");
        app.greets("here").deploy();
        app.host()
    };
    for _ in 0..5 {
        platform.end_server(false);
        let server = platform.begin_again();
        wait::until("the app to answer again", || {
            visitor::get(platform.router, &host, "/").ok().filter(|answer| answer.body == "here")
        });
        let status = std::fs::read_to_string(format!("/proc/{server}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        let caught = u64::from_str_radix(&caught, 16).unwrap();
        // SIGTERM of whoever stops it, and SIGUSR2 of a successor.
        for signal in [15, 12] {
            assert!(caught & (1 << (signal - 1)) != 0, "signal {signal} ends it: {caught:x}");
        }
        platform.wait_until_ready();
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

/// Restarts the server under load, and waits until visitors were served by the new one for a while.
fn under_load(
    platform: &mut TestPlatform,
    host: &str,
    what: &str,
    restart: impl FnOnce(&mut TestPlatform),
) -> Outcome {
    let load = Load::start(platform.router, host, "/", PER_SECOND);
    let served = |load: &Load, more: usize| {
        let enough = load.asked() + more;
        wait::until("visitors to be served", || (load.asked() >= enough).then_some(()));
    };
    served(&load, 200);
    restart(platform);
    served(&load, 400);
    load.finish(what)
}

#[test]
fn no_request_fails_while_one_server_takes_the_place_of_another() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("steady");
        app.greets("on").deploy();
        app.host()
    };
    let in_order = |platform: &mut TestPlatform| platform.restart(true);
    under_load(&mut platform, &host, "SIGTERM, then start", in_order).assert_none_failed();
    under_load(&mut platform, &host, "start --replace", TestPlatform::replace).assert_none_failed();
    let upgrade = |platform: &mut TestPlatform| {
        platform.install();
        platform.restart(true);
    };
    under_load(&mut platform, &host, "upgrade to a program elsewhere", upgrade).assert_none_failed();
    under_load(&mut platform, &host, "upgrade in the same place", upgrade).assert_none_failed();
    let upgrade = |platform: &mut TestPlatform| {
        platform.install();
        platform.replace();
    };
    under_load(&mut platform, &host, "upgrade with --replace", upgrade).assert_none_failed();
}

#[test]
fn who_comes_after_the_server_was_killed_only_waits_for_the_next_one() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("steady");
        app.greets("on").deploy();
        app.host()
    };
    let mut killed = None;
    let outcome = under_load(&mut platform, &host, "kill -9, then start", |platform| {
        platform.end_server(false);
        killed = Some(std::time::Instant::now());
        platform.start_again();
    });
    // What a process that is killed had in hand is lost with it.
    let later: Vec<_> = outcome.failures.iter().filter(|failure| Some(failure.came) > killed).collect();
    assert!(later.is_empty(), "{outcome}");
}

#[test]
fn without_a_server_visitors_wait_and_without_a_platform_they_are_refused() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("waiting");
        app.greets("here").deploy();
        app.host()
    };
    for orderly in [true, false] {
        platform.end_server(orderly);
        let (router, host) = (platform.router, host.clone());
        let visitor = std::thread::spawn(move || visitor::get(router, &host, "/"));
        std::net::TcpStream::connect(platform.api).unwrap();
        platform.start_again();
        assert_eq!(visitor.join().unwrap().unwrap().body, "here");
    }
    platform.stop();
    for address in [platform.router, platform.api] {
        let error = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn what_was_asked_before_a_restart_is_answered_and_a_successor_does_not_wait_for_it() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("slow");
        app.greets("done").deploy();
        app.host()
    };
    for replace in [false, true] {
        let router = platform.router;
        let slow = std::thread::spawn({
            let host = host.clone();
            move || visitor::get(router, &host, "/slow=6")
        });
        wait::until("the slow request to be under way", || {
            let dynos = platform.api("GET", "/apps/slow/dynos", &platform.token, None).1;
            (dynos[0]["in_flight"] == 1).then_some(())
        });
        if replace {
            let mut predecessor = platform.start_successor();
            assert_eq!(visitor::get(router, &host, "/").unwrap().body, "done");
            assert!(!slow.is_finished(), "the successor serves while the predecessor still answers");
            assert!(predecessor.wait().unwrap().success());
        } else {
            platform.restart(true);
        }
        assert_eq!(slow.join().unwrap().unwrap(), visitor::Answer { status: 200, body: "done".to_owned() });
    }
}
