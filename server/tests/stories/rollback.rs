//! Going back: the old slug and config at the present scale, and what differs between two releases.

use crate::platform::TestPlatform;
use crate::wait;

#[test]
fn a_rollback_runs_the_old_slug_and_config_and_keeps_the_scale() {
    let platform = TestPlatform::start();
    let app = platform.app("undo");
    app.greets("one").deploy();
    app.greets("two").deploy();
    app.paasctl(&["config:set", "COLOUR=blue"]);
    app.paasctl(&["ps:scale", "web=3"]);
    let crowd = app.crowd();
    let text = app.try_paasctl(&["rollback", "v1"]);
    assert!(text.status.success(), "{}", crate::app::text(&text));
    crowd.assert_none_failed();
    assert_eq!(app.get("/").body, "one");
    assert_eq!(app.get("/env/COLOUR").body, "(unset)");
    let releases = app.json(&["releases"]);
    let find =
        |version: u64| releases.as_array().unwrap().iter().find(|r| r["version"] == version).unwrap().clone();
    assert_eq!(find(4)["slug"]["id"], find(1)["slug"]["id"]);
    assert_eq!(find(4)["description"], "Rollback to v1");
    wait::until("the replicas of before to end", || (app.json(&["ps"]).as_array()?.len() == 3).then_some(()));
}

#[test]
fn a_rollback_without_a_number_goes_back_one_and_refuses_what_is_not_there() {
    let platform = TestPlatform::start();
    let app = platform.app("back");
    app.greets("one").deploy();
    app.greets("two").deploy();
    app.paasctl(&["rollback"]);
    assert_eq!(app.get("/").body, "one");
    let refused = app.try_paasctl(&["rollback", "v99"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(crate::app::text(&refused).contains("Hint:"), "{refused:?}");
}

#[test]
fn a_difference_names_commits_files_and_keys() {
    let platform = TestPlatform::start();
    let app = platform.app("differs");
    app.greets("one").deploy();
    app.greets("two").deploy();
    app.paasctl(&["config:set", "SECRET_KEY=hunter2hunter2"]);
    let diff = app.paasctl(&["releases:diff", "v1", "v3"]);
    for part in ["Greet with two", "greeting", "SECRET_KEY"] {
        assert!(diff.contains(part), "`{part}` is missing in {diff}");
    }
    assert!(!diff.contains("hunter2"), "{diff}");
}

#[test]
fn a_rollback_during_a_rollout_wins_and_the_push_is_told() {
    let platform = TestPlatform::start();
    let app = platform.app("overtaken");
    app.greets("one").deploy();
    let tip = app.git(&["ls-remote", "paas", "refs/heads/main"]);
    app.write("Procfile", "web: sleep 3 && exec bin/web\n").greeting("two");
    let pusher = app.push_in_background();
    wait::until("the rollout to begin", || (app.json(&["releases"])[0]["status"] == "pending").then_some(()));
    app.paasctl(&["rollback", "v1"]);
    let pushed = pusher.wait_with_output().unwrap();
    let text = crate::app::text(&pushed);
    assert!(!pushed.status.success(), "{text}");
    assert!(text.contains("Rollback to v1") && text.contains("took the place of this push"), "{text}");
    assert_eq!(app.get("/").body, "one");
    assert_eq!(app.git(&["ls-remote", "paas", "refs/heads/main"]), tip, "the branch moved");
    app.deploy();
    assert_eq!(app.get("/").body, "two");
}
