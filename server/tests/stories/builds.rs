//! A build and whoever waits for it: pushers that leave, come back, or cancel.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use crate::gate::Gate;
use crate::platform::TestPlatform;
use crate::wait;

/// A Python app whose build takes as long as its hook says.
pub(crate) fn slow_build(app: &crate::app::TestApp<'_>, seconds: u32) {
    app.greets("slow")
        .write("requirements.txt", "")
        .write("bin/pre_compile", &format!("#!/bin/bash\necho begun\nsleep {seconds}\n"));
    app.executable("bin/pre_compile").commit("Build slowly");
}

/// Does what Ctrl-C in a terminal does: git and its helper both get the signal.
pub(crate) fn interrupt(pusher: &mut std::process::Child) {
    let group = format!("-{}", pusher.id());
    assert!(std::process::Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    pusher.wait().unwrap();
}

#[test]
fn leaving_a_push_does_not_end_its_build_and_pushing_again_attaches() {
    let platform = TestPlatform::start();
    let app = platform.app("leaver");
    slow_build(&app, 5);
    let mut pusher = app.push_in_background();
    wait::until("the build to run", || {
        let builds = app.json(&["builds"]);
        (builds[0]["state"] == "running").then_some(())
    });
    interrupt(&mut pusher);
    let again = app.push();
    assert!(again.ok, "{}", again.text);
    let told = again.text.split("Attached to build ").nth(1).and_then(|rest| rest.split(' ').next());
    let told = app.json(&["builds:info", told.expect(&again.text)]);
    let builds = app.json(&["builds"]);
    assert_eq!((builds.as_array().unwrap().len(), &builds[0]["id"]), (1, &told["id"]));
    assert_eq!(app.get("/").body, "slow");
}

#[test]
fn pushing_again_during_the_rollout_attaches_to_it_and_says_which_types_do_not_run() {
    let platform = TestPlatform::start();
    let app = platform.app("again");
    let gate = Gate::new();
    let web = format!("web: {}; exec bin/web\nworker: sleep 1000\n", gate.wait_here());
    app.greets("open").write("Procfile", &web).commit("Wait at the gate");
    let mut pusher = app.push_in_background();
    let mut boot = gate.visitor();
    interrupt(&mut pusher);
    let mut again = app.push_in_background();
    let mut said = String::new();
    for line in BufReader::new(again.stderr.take().unwrap()).lines().map_while(Result::ok) {
        said += &format!("{line}\n");
        if line.contains("Attached to v1 of this commit") {
            boot.write_all(b"go\n").unwrap();
        }
    }
    assert!(again.wait().unwrap().success(), "{said}");
    assert!(said.contains("worker: 0 replicas; start it with `paasctl ps:scale worker=1`"), "{said}");
    app.write("Procfile", "web: bin/web\nworker: sleep 1000\n").commit("Take the gate away");
    assert!(!app.deploy().contains("worker: 0 replicas"), "it is news only once");
}

#[test]
fn a_push_that_nobody_waits_for_moves_the_branch_all_the_same() {
    let platform = TestPlatform::start();
    let app = platform.app("alone");
    slow_build(&app, 3);
    let mut pusher = app.push_in_background();
    wait::until("the build to run", || (app.json(&["builds"])[0]["state"] == "running").then_some(()));
    interrupt(&mut pusher);
    let head = app.git(&["rev-parse", "HEAD"]);
    wait::until("the branch to move", || {
        app.git(&["ls-remote", "paas", "refs/heads/main"]).starts_with(&head).then_some(())
    });
}

#[test]
fn a_cancelled_build_ends_at_once_and_says_who_ended_it() {
    let platform = TestPlatform::start();
    let app = platform.app("cancel");
    slow_build(&app, 600);
    let pusher = app.push_in_background();
    wait::until("the hook to run", || {
        let mut builds = std::fs::read_dir(platform.data.join("builds")).ok()?;
        let log = builds.next()?.ok()?.path().join("log");
        std::fs::read_to_string(log).ok()?.contains("begun").then_some(())
    });
    let begun = std::time::Instant::now();
    app.paasctl(&["builds:cancel"]);
    let output = pusher.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cancelled"), "{output:?}");
    assert_eq!(app.json(&["builds"])[0]["state"], "cancelled");
}

#[test]
fn a_push_to_an_app_that_is_destroyed_meanwhile_names_no_logs_of_it() {
    let platform = TestPlatform::start();
    let app = platform.app("doomed");
    app.write("bin/web", "#!/bin/sh\nsleep 1000\n").executable("bin/web");
    app.write("Procfile", "web: bin/web\n").commit("Never listens");
    let pusher = app.push_in_background();
    wait::until("the rollout", || (app.json(&["ps"])[0]["type"] == "web").then_some(()));
    app.paasctl(&["apps:destroy", "--confirm", "doomed"]);
    let output = pusher.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("v1 failed: the app was destroyed."), "{told}");
    assert!(!told.contains("paasctl logs") && !told.contains("Nothing served before"), "{told}");
}

#[test]
fn the_detection_is_data_too() {
    let platform = TestPlatform::start();
    let app = platform.app("traced");
    app.greets("one").deploy();
    let id = app.json(&["builds"])[0]["id"].as_str().unwrap().to_owned();
    let build = app.json(&["builds:info", &id]);
    let attempts = build["trace"]["attempts"].as_array().unwrap();
    assert!(attempts.len() >= 3, "{build}");
    assert_eq!(build["trace"]["chosen"], "procfile");
    assert!(build["durations"]["total"].as_u64().is_some(), "{build}");
}

#[test]
fn a_build_that_fails_tells_where_the_time_went_too() {
    let platform = TestPlatform::start();
    let app = platform.app("broken");
    app.greets("one").write("requirements.txt", "").write("bin/pre_compile", "#!/bin/bash\nexit 7\n");
    app.executable("bin/pre_compile").commit("Fail in the hook");
    assert!(!app.push().ok);
    let builds = app.json(&["builds"]);
    let durations = &builds[0]["durations"];
    for step in ["prepare", "detect", "compile", "total"] {
        assert!(durations[step].is_u64(), "{step}: {}", builds[0]);
    }
    assert_eq!(durations["pack"], serde_json::Value::Null);
}
