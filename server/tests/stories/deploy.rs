//! A push from its build to the visitor's answer: no request fails, the slug is whole and the same each time.

use crate::platform::TestPlatform;
use crate::visitor::Answer;
use crate::wait;

#[test]
fn a_push_builds_explains_itself_and_serves() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    let log = app.greets("one").deploy();
    for part in [
        "remote: -----> Source: commit ",
        "procfile",
        "Procfile",
        "Released v1",
        "web.1",
        "v1 serves at http://shop.localhost:",
    ] {
        assert!(log.contains(part), "`{part}` is missing in:\n{log}");
    }
    assert_eq!(app.get("/"), Answer { status: 200, body: "one".into() });
    let ps = app.json(&["ps"]);
    assert_eq!(ps.to_string().matches("\"web.1\"").count(), 1, "{ps}");
    let release = &app.json(&["releases"])[0];
    assert_eq!(
        (release["version"].as_u64(), release["status"].as_str()),
        (Some(1), Some("succeeded")),
        "{release}"
    );
}

#[test]
fn no_request_fails_while_a_new_release_takes_over() {
    let platform = TestPlatform::start();
    let app = platform.app("busy");
    app.greets("one").deploy();
    let crowd = app.crowd();
    app.greets("two").deploy();
    assert_eq!(app.get("/").body, "two");
    app.paasctl(&["ps:restart"]);
    crowd.assert_none_failed();
}

#[test]
fn the_same_commit_gives_the_same_slug() {
    let platform = TestPlatform::start();
    let app = platform.app("twice");
    app.greets("one").deploy();
    app.greets("two").deploy();
    app.greets("one").git(&["commit", "-q", "--amend", "--allow-empty", "-m", "Back to one"]);
    app.deploy();
    let releases = app.json(&["releases"]);
    let slug = |version: u64| {
        let all = releases.as_array().unwrap();
        all.iter().find(|release| release["version"] == version).unwrap()["slug"]["id"].clone()
    };
    assert_eq!(slug(1), slug(3));
    assert_ne!(slug(1), slug(2));
}

#[test]
fn the_slug_is_whole_and_the_app_may_write_beside_it() {
    let platform = TestPlatform::start();
    let app = platform.app("writer");
    app.greets("one").write("bin/web", "#!/bin/bash\nset -e\necho changed > greeting\nmkdir made\nls -ln greeting bin/web\nid -u\nexec python3 -m http.server -d . $PORT\n");
    app.executable("bin/web").commit("Write").deploy();
    assert_eq!(app.get("/greeting").body.trim(), "changed");
    let own = app.wait_for_log("]: 2");
    assert!(own.trim_end().split(' ').next_back().unwrap().parse::<u32>().unwrap() >= 200_000, "{own}");
}

#[test]
fn a_destroyed_app_leaves_nothing_behind() {
    let platform = TestPlatform::start();
    let app = platform.app("gone");
    app.greets("one").deploy();
    let id = app.json(&["apps:info"])["id"].as_str().map(ToOwned::to_owned).unwrap_or_default();
    app.paasctl(&["apps:destroy", "--confirm", "gone"]);
    wait::until("the app's files to go", || {
        let left = ["repos", "logs", "cache"].iter().any(|dir| {
            std::fs::read_dir(platform.data.join(dir)).is_ok_and(|mut entries| {
                entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(&id))
            })
        });
        (!left).then_some(())
    });
    assert_eq!(app.get("/").status, 404);
    let replicas = || std::fs::read_dir(platform.data.join("agent/replicas")).map_or(0, Iterator::count);
    wait::until("the replicas' files to go", || (replicas() == 0).then_some(()));
    platform.app("gone");
}
