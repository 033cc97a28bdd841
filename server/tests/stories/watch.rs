//! The watch after a rollout: what fails then is reverted by itself, once, and what a user does ends it.

use serde_json::Value;

use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::wait;

fn release(app: &TestApp<'_>, version: u64) -> Value {
    let releases = app.json(&["releases"]);
    let found = releases.as_array().unwrap().iter().find(|release| release["version"] == version).cloned();
    found.unwrap_or_default()
}

fn info_of(app: &TestApp<'_>, version: u64) -> String {
    app.paasctl(&["releases:info", &format!("v{version}")])
}

/// Waits until this release serves and all replicas are its.
fn serves(app: &TestApp<'_>, version: u64) {
    wait::until(&format!("v{version} to serve"), || {
        let release = release(app, version);
        (release["current"] == true && release["status"] == "succeeded").then_some(())
    });
}

#[test]
fn a_release_that_crashes_after_its_rollout_is_reverted_with_the_reason_and_without_a_failed_request() {
    let platform = TestPlatform::start();
    let app = platform.app("relapse");
    app.greets("one").deploy();
    app.write("Procfile", "web: bin/web\nworker: sleep 2; echo last words; exit 3\n").greeting("two");
    app.paasctl(&["ps:scale", "worker=1"]);
    serves(&app, 1);
    let crowd = app.crowd();
    let log = app.deploy();
    assert!(log.contains("watching v2 for 60 s; it reverts to v1 by itself if it fails"), "{log}");
    let info = app.paasctl(&["releases:info", "v2"]);
    assert!(info.contains("it reverts to v1 by itself if it fails"), "{info}");
    serves(&app, 3);
    let (failed, back) = (release(&app, 2), release(&app, 3));
    assert_eq!(failed["status"], "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("worker.1 crashed 2 times within 60 s after the rollout: exited with status 3"),
        "{reason}"
    );
    assert!(reason.contains("last words"), "{reason}");
    for part in [
        "Rule: a release is reverted if one replica crashes 2 times",
        "watch-seconds=0",
        "paasctl rollback v2",
    ] {
        assert!(reason.contains(part) && info_of(&app, 2).contains(part), "`{part}` is missing in {reason}");
        app.wait_for_log(part);
    }
    assert!(back["description"].as_str().unwrap().starts_with("Reverted to v1: worker.1 crashed"), "{back}");
    assert_eq!(
        (&back["slug"]["id"], &back["watching_until"]),
        (&release(&app, 1)["slug"]["id"], &Value::Null)
    );
    assert_eq!(app.get("/").body, "one");
    crowd.assert_none_failed();
}

#[test]
fn a_release_that_answers_with_errors_is_reverted_and_the_probe_need_not_notice() {
    let platform = TestPlatform::start();
    let app = platform.app("errors");
    app.greets("one").deploy();
    for _ in 0..40 {
        assert_eq!(app.get("/work").status, 200);
    }
    let server = std::fs::read_to_string(app.dir.join("bin/web")).unwrap();
    let broken = server.replace(
        "self.send_response(int(os.environ.get(\"STATUS\", \"200\")))",
        "self.send_response(500 if self.path == \"/work\" else 200)",
    );
    assert_ne!(broken, server);
    app.write("bin/web", &broken).greeting("two").deploy();
    assert_eq!(app.get("/").body, "two");
    wait::until("the release before to come back", || (app.get("/work").status == 200).then_some(()));
    serves(&app, 3);
    let reason = release(&app, 2)["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("of requests were answered 5xx or not at all")
            && reason.contains("v1 had 0%\nRule: "),
        "{reason}"
    );
}

#[test]
fn what_a_user_does_ends_the_watch_and_zero_seconds_are_none() {
    let platform = TestPlatform::start();
    let app = platform.app("calm");
    app.greets("one").deploy();
    app.greeting("two").deploy();
    assert!(release(&app, 2)["watching_until"].is_string());
    app.paasctl(&["ps:restart"]);
    assert_eq!(release(&app, 2)["watching_until"], Value::Null);
    app.paasctl(&["settings:set", "watch-seconds=0"]);
    let log = app.greeting("three").deploy();
    assert!(!log.contains("watching"), "{log}");
    assert_eq!(release(&app, 3)["watching_until"], Value::Null);
}

#[test]
fn a_watch_goes_on_after_the_server_was_killed() {
    let mut platform = TestPlatform::start();
    {
        let app = platform.app("lasting");
        app.greets("one").deploy();
        app.write("Procfile", "web: (sleep 6; kill -9 $$) & exec bin/web\n").greeting("two").deploy();
    }
    platform.restart(false);
    let app = platform.known_app("lasting");
    serves(&app, 3);
    assert!(release(&app, 2)["reason"].as_str().unwrap().contains("crashed 2 times"));
    assert_eq!(app.get("/").body, "one");
}

#[test]
fn a_type_that_does_not_overlap_stops_before_its_successor_starts() {
    let platform = TestPlatform::start();
    let app = platform.app("single");
    app.greets("one")
        .write("Procfile", "web: bin/web\nworker: trap 'sleep 1; echo bye; exit' TERM; echo hello; while :; do sleep 0.1; done\n")
        .commit("Work alone")
        .deploy();
    let set = app.try_paasctl(&["settings:set", "worker.overlap=off", "worker.stop-seconds=20"]);
    assert!(crate::app::text(&set).contains("is not gapless"), "{set:?}");
    app.paasctl(&["ps:scale", "worker=1"]);
    app.wait_for_log("app[worker.1]: hello");
    let log = app.greeting("two").deploy();
    assert!(log.contains("worker does not overlap: its old replicas stop before new ones start"), "{log}");
    let words = app.paasctl(&["logs", "-n", "500"]);
    let said = words.lines().filter_map(|line| line.split("app[worker.1]: ").nth(1));
    let said: Vec<&str> = said.filter(|word| ["hello", "bye"].contains(word)).collect();
    assert_eq!(said, ["hello", "bye", "hello"], "{words}");
}
