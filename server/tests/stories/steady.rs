//! Visitors come 200 times a second, whatever is changed and however a change fails: each of them gets an answer, and
//! there are never fewer replicas in rotation than were asked for.

mod long;
mod rotation;

use std::time::Instant;

use crate::app::TestApp;
use crate::load::{Load, Outcome};
use crate::platform::TestPlatform;
use crate::wait;
use rotation::Rotation;

const PER_SECOND: u32 = 200;
const PROCFILE: &str = "web: bin/web\nworker: sleep 1000\n";

/// Deploys an app at two replicas that breaks whatever it has in hand when it is stopped.
fn deployed<'a>(platform: &'a TestPlatform, name: &str) -> TestApp<'a> {
    let app = platform.app(name);
    app.paasctl(&["settings:set", "health-path=/health", "boot-seconds=20", "drain-seconds=5"]);
    app.write("bin/web", include_str!("steady/web.py")).executable("bin/web");
    app.write("Procfile", PROCFILE).commit("Serve").deploy();
    app.paasctl(&["ps:scale", "web=2"]);
    app
}

/// Changes something under load, waits until nothing leaves any more, and fails the test if a visitor noticed.
fn change(app: &TestApp<'_>, load: &Load, what: &str, at_least: usize, change: impl FnOnce()) {
    let rotation = Rotation::watch(app, at_least);
    let outcome = load.during(what, || {
        change();
        settle(app);
    });
    outcome.assert_none_failed();
    rotation.assert_never_fewer(what);
}

/// Waits until all replicas are healthy: nothing starts, drains or stops.
fn settle(app: &TestApp<'_>) {
    wait::until("the replicas to be as wished", || {
        let replicas = app.json(&["ps"]);
        replicas.as_array()?.iter().all(|replica| replica["phase"] == "healthy").then_some(())
    });
}

#[test]
fn no_visitor_notices_a_change() {
    let platform = TestPlatform::start();
    let app = deployed(&platform, "steady");
    let load = Load::start(platform.router, &app.host(), "/", PER_SECOND);
    let steps: [(&str, usize, &[&str]); 7] = [
        ("config:set", 2, &["config:set", "GREETING=good day"]),
        ("config:unset", 2, &["config:unset", "GREETING"]),
        ("scale up", 2, &["ps:scale", "web=4"]),
        ("ps:restart", 4, &["ps:restart"]),
        ("scale down", 2, &["ps:scale", "web=2"]),
        ("ps:restart of one replica", 2, &["ps:restart", "web.1"]),
        ("rollback", 2, &["rollback", "v1"]),
    ];
    change(&app, &load, "deploy", 2, || drop(app.commit("Again").deploy()));
    for (what, at_least, command) in steps {
        change(&app, &load, what, at_least, || drop(app.paasctl(command)));
    }
    change(&app, &load, "changes that overtake each other", 2, || {
        let commands: [&[&str]; 6] = [
            &["config:set", "A=1", "--no-wait"],
            &["ps:scale", "web=4", "--no-wait"],
            &["ps:restart", "--no-wait"],
            &["rollback", "v2", "--no-wait"],
            &["ps:scale", "web=2", "--no-wait"],
            &["config:set", "A=2"],
        ];
        for command in commands {
            app.paasctl(command);
        }
    });
    load.finish("after all changes").assert_none_failed();
}

/// Ways to fail, and what is pushed then. What the pusher reads is the business of other stories.
const FAILURES: [(&str, &str); 7] = [
    ("a build that fails", "web: bin/web\n<<<<<<< HEAD\n"),
    ("a release command that fails", "web: bin/web\nrelease: exit 4\n"),
    ("a crash at boot", "web: exit 3\n"),
    ("an app that never listens", "web: sleep 1000\n"),
    ("an app that listens on another port", "web: PORT=$((PORT - 10000)) bin/web\n"),
    ("an app that answers 500", "web: STATUS=500 bin/web\n"),
    ("a boot that takes too long", "web: sleep 30 && exec bin/web\n"),
];

#[test]
fn no_visitor_notices_a_change_that_fails() {
    let platform = TestPlatform::start();
    let app = deployed(&platform, "solid");
    app.paasctl(&["settings:set", "boot-seconds=2"]);
    let load = Load::start(platform.router, &app.host(), "/", PER_SECOND);
    for (what, procfile) in FAILURES {
        app.write("Procfile", procfile).commit(what);
        change(&app, &load, what, 2, || {
            let pushed = app.push();
            assert!(!pushed.ok, "{what}: {}", pushed.text);
        });
    }
    load.finish("after all failures").assert_none_failed();
}

#[test]
fn no_visitor_notices_a_release_that_is_reverted() {
    let platform = TestPlatform::start();
    let app = deployed(&platform, "relapse");
    let load = Load::start(platform.router, &app.host(), "/", PER_SECOND);
    let failures = [
        ("reverted after crashes", 2, "web: bin/web\nworker: sleep 2; exit 3\n"),
        // It is the release that makes its replicas ill; they are asked all the same until there are others.
        ("reverted after failed probes", 0, "web: ILL_AFTER=3 bin/web\n"),
    ];
    for (what, at_least, procfile) in failures {
        app.write("Procfile", procfile).commit(what);
        if procfile.contains("worker") {
            app.paasctl(&["ps:scale", "worker=1"]);
        }
        change(&app, &load, what, at_least, || {
            app.deploy();
            wait::until("the release to be reverted", || {
                let newest = &app.json(&["releases"])[0];
                let description = newest["description"].as_str()?;
                (newest["current"] == true && description.starts_with("Reverted to ")).then_some(())
            });
        });
    }
    load.finish("after all reverts").assert_none_failed();
}

/// Begins a rollout, changes servers once its replicas boot, and waits until it serves.
fn rollout_across(
    platform: &mut TestPlatform,
    load: &Load,
    what: &str,
    restart: impl FnOnce(&mut TestPlatform),
) -> Outcome {
    load.during(what, || {
        let (mut pusher, version) = {
            let app = platform.known_app("moved");
            app.write("Procfile", "web: sleep 1 && exec bin/web\n").commit(what);
            let pusher = app.push_in_background();
            let version = wait::until("the rollout to begin", || {
                let newest = app.json(&["releases"])[0].clone();
                (newest["status"] == "pending").then(|| newest["version"].clone())
            });
            (pusher, version)
        };
        restart(platform);
        pusher.wait().unwrap();
        let app = platform.known_app("moved");
        wait::until("the rollout to end", || {
            let newest = app.json(&["releases"])[0].clone();
            (newest["version"] == version && newest["status"] == "succeeded").then_some(())
        });
        settle(&app);
    })
}

#[test]
fn no_visitor_notices_a_rollout_that_goes_on_while_one_server_takes_the_place_of_another() {
    let mut platform = TestPlatform::start();
    let host = deployed(&platform, "moved").host();
    let load = Load::start(platform.router, &host, "/", PER_SECOND);
    rollout_across(&mut platform, &load, "rollout and SIGTERM, then start", |platform| {
        platform.restart(true)
    })
    .assert_none_failed();
    rollout_across(&mut platform, &load, "rollout and upgrade with --replace", |platform| {
        platform.install();
        platform.replace();
    })
    .assert_none_failed();
    load.finish("after both rollouts").assert_none_failed();
}

#[test]
fn who_comes_after_the_server_was_killed_in_a_rollout_only_waits_for_the_next_one() {
    let mut platform = TestPlatform::start();
    let host = deployed(&platform, "moved").host();
    let load = Load::start(platform.router, &host, "/", PER_SECOND);
    let mut killed = None;
    let outcome = rollout_across(&mut platform, &load, "rollout and kill -9, then start", |platform| {
        platform.end_server(false);
        killed = Some(Instant::now());
        platform.start_again();
    });
    // What a process that is killed had in hand is lost with it.
    let later: Vec<_> = outcome.failures.iter().filter(|failure| Some(failure.came) > killed).collect();
    assert!(later.is_empty(), "{outcome}");
    load.finish("after the rollout").assert_none_failed();
}
