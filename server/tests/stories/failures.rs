//! Each way of failing: the push fails, says why in words, and what served goes on serving.

use crate::address;
use crate::app::TestApp;
use crate::platform::TestPlatform;

/// Deploys a good release, lets `broken` spoil the app, pushes, and returns what the pusher read.
fn push_fails(platform: &TestPlatform, name: &str, broken: impl FnOnce(&TestApp<'_>)) -> String {
    let app = platform.app(name);
    app.greets("good").deploy();
    let tip = app.git(&["ls-remote", "paas", "refs/heads/main"]);
    broken(&app);
    app.commit("Break it");
    let crowd = app.crowd();
    let pushed = app.push();
    assert!(!pushed.ok, "{}", pushed.text);
    crowd.assert_none_failed();
    assert_eq!(app.get("/").body, "good");
    assert_eq!(app.git(&["ls-remote", "paas", "refs/heads/main"]), tip, "the branch moved");
    pushed.text
}

#[test]
fn a_source_that_no_buildpack_knows() {
    let platform = TestPlatform::start();
    let app = platform.app("empty");
    app.write("requirement.txt", "flask\n").commit("A typo");
    let pushed = app.push();
    assert!(!pushed.ok);
    for part in ["python", "static", "procfile", "requirements.txt", "Push rejected"] {
        assert!(pushed.text.contains(part), "`{part}` is missing in:\n{}", pushed.text);
    }
    let builds = app.json(&["builds"]);
    assert_eq!(builds[0]["state"], "failed", "{builds}");
}

#[test]
fn a_procfile_with_conflict_markers() {
    let platform = TestPlatform::start();
    let text = push_fails(&platform, "conflict", |app| {
        app.write("Procfile", "web: bin/web\n<<<<<<< HEAD\n");
    });
    assert!(text.contains("merge conflict"), "{text}");
}

#[test]
fn an_app_that_crashes_at_boot() {
    let platform = TestPlatform::start();
    let text = push_fails(&platform, "crash", |app| {
        app.write("bin/web", "#!/bin/bash\necho the database is not there >&2\necho Boot failed.\nexit 3\n");
    });
    assert!(text.contains("exited with status 3") && !text.contains("failed.."), "{text}");
    assert!(text.contains("app[web.1]: the database is not there"), "{text}");
    assert!(text.contains("v1 goes on serving"), "{text}");
}

#[test]
fn an_app_that_listens_on_another_port() {
    let platform = TestPlatform::start();
    let port = address::reserve().port();
    let text = push_fails(&platform, "wrong-port", |app| {
        app.paasctl(&["settings:set", "boot-seconds=5"]);
        app.write("bin/web", &format!("#!/bin/bash\nexec python3 -m http.server --bind 127.0.0.1 {port}\n"));
    });
    assert!(text.contains(&format!("listens on 127.0.0.1:{port}, not on $PORT")), "{text}");
    assert!(text.contains("(bind to 0.0.0.0:$PORT); it has 5 s to become healthy"), "{text}");
}

#[test]
fn an_app_that_never_listens() {
    let platform = TestPlatform::start();
    let text = push_fails(&platform, "deaf", |app| {
        app.paasctl(&["settings:set", "boot-seconds=10"]);
        app.write("bin/web", "#!/bin/bash\nexec sleep 1000\n");
    });
    assert!(text.contains("does not listen on $PORT"), "{text}");
}

#[test]
fn an_app_that_answers_with_errors() {
    let platform = TestPlatform::start();
    let text = push_fails(&platform, "ill", |app| {
        app.paasctl(&["settings:set", "boot-seconds=10"]);
        app.write("Procfile", "web: STATUS=500 bin/web\n");
    });
    assert!(text.contains("answers 500 on /"), "{text}");
}

#[test]
fn a_release_command_that_fails() {
    let platform = TestPlatform::start();
    let text = push_fails(&platform, "migrate", |app| {
        app.write("Procfile", "web: bin/web\nrelease: echo migrating; echo no such table; exit 4\n");
    });
    assert!(
        text.contains("release: no such table") && text.contains("the release command exited with status 4"),
        "{text}"
    );
    assert!(text.contains("release.2 failed (exit code 4)") && !text.contains("release.2 done"), "{text}");
    assert!(text.contains("See what it wrote: paasctl releases:output v2 -a migrate"), "{text}");
}

#[test]
fn a_release_command_that_succeeds_runs_before_the_rollout() {
    let platform = TestPlatform::start();
    let app = platform.app("migrates");
    app.greets("one").write("Procfile", "web: bin/web\nrelease: echo migrated as $DYNO\n").commit("Migrate");
    let text = app.deploy();
    let (migrated, starting) = (text.find("migrated as release.1"), text.find("web.1 starting"));
    assert!(migrated.is_some() && migrated < starting, "{text}");
    let output = app.paasctl(&["releases:output", "v1"]);
    assert!(output.contains("migrated as release.1"), "{output}");
}

#[test]
fn an_app_that_ignores_sigterm_is_killed_after_its_time() {
    let platform = TestPlatform::start();
    let app = platform.app("stubborn");
    app.paasctl(&["settings:set", "stop-seconds=1"]);
    app.greets("one").write(
        "bin/web",
        "#!/bin/bash\ntrap '' TERM\npython3 -m http.server -d . $PORT & while true; do sleep 1; done\n",
    );
    app.executable("bin/web").commit("Ignore SIGTERM").deploy();
    app.paasctl(&["ps:scale", "web=0"]);
    assert_eq!(app.json(&["ps"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn a_slow_boot_is_waited_for() {
    let platform = TestPlatform::start();
    let app = platform.app("slow");
    app.greets("awake").write("Procfile", "web: sleep 2 && exec bin/web\n").commit("Sleep first").deploy();
    assert_eq!(app.get("/").body, "awake");
}
