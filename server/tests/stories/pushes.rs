//! Pushes at the same time: of one commit, on top of each other, beside each other, forced, and across a death of the server.

use std::process::{Child, Output};

use crate::app::{TestApp, text};
use crate::builds::{interrupt, slow_build};
use crate::platform::TestPlatform;
use crate::wait;

fn until_state(app: &TestApp<'_>, at: usize, state: &str) {
    wait::until(&format!("build {at} to be {state}"), || {
        (app.json(&["builds"])[at]["state"] == state).then_some(())
    });
}

fn builds(app: &TestApp<'_>) -> usize {
    app.json(&["builds"]).as_array().unwrap().len()
}

/// Where the server's branch is.
fn tip(app: &TestApp<'_>) -> String {
    let listed = app.git(&["ls-remote", "paas", "refs/heads/main"]);
    listed.split_whitespace().next().unwrap_or_default().to_owned()
}

#[track_caller]
fn success(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    text(output)
}

/// Starts a push once the one before it is in the queue.
fn push_next(app: &TestApp<'_>, greeting: &str) -> Child {
    let before = builds(app);
    app.greeting(greeting);
    let pusher = app.push_in_background();
    wait::until("the push to be queued", || (builds(app) > before).then_some(()));
    pusher
}

#[test]
fn one_commit_pushed_twice_at_once_is_built_once_and_both_succeed() {
    let platform = TestPlatform::start();
    let app = platform.app("twins");
    slow_build(&app, 3);
    let pushers = [app.push_in_background(), app.push_in_background(), app.push_in_background()];
    let told = pushers.map(|pusher| success(&pusher.wait_with_output().unwrap()));
    assert_eq!(told.iter().filter(|told| told.contains("Attached to build")).count(), 2, "{told:?}");
    assert!(told.iter().all(|told| told.contains("v1 serves at")), "{told:?}");
    assert_eq!((builds(&app), tip(&app)), (1, app.git(&["rev-parse", "HEAD"])));
    let again = app.push_with(&["push", "paas", "main:master"]);
    assert!(again.ok && again.text.contains("serves already as v1"), "{}", again.text);
}

#[test]
fn a_push_on_top_of_one_that_is_being_deployed_waits_and_goes_through_by_itself() {
    let platform = TestPlatform::start();
    let app = platform.app("stack");
    slow_build(&app, 4);
    let first = app.push_in_background();
    until_state(&app, 0, "running");
    app.write("greeting", "second").commit("Second");
    let second = app.push();
    success(&first.wait_with_output().unwrap());
    assert!(second.ok && second.text.contains("Waiting for"), "{}", second.text);
    assert_eq!(app.get("/").body, "second");
    assert_eq!(tip(&app), app.git(&["rev-parse", "HEAD"]));
}

#[test]
fn of_three_that_wait_the_newest_wins_and_the_others_are_told_what_serves() {
    let platform = TestPlatform::start();
    let app = platform.app("queue");
    app.greets("zero").deploy();
    slow_build(&app, 6);
    let deploying = app.push_in_background();
    until_state(&app, 0, "running");
    let [one, two, three] = ["one", "two", "three"].map(|greeting| push_next(&app, greeting));
    for loser in [one, two] {
        let loser = loser.wait_with_output().unwrap();
        let told = text(&loser);
        assert!(!loser.status.success() && told.contains("superseded: a newer push"), "{told}");
        assert!(told.contains("v1 goes on serving") || told.contains("v2 goes on serving"), "{told}");
    }
    success(&deploying.wait_with_output().unwrap());
    success(&three.wait_with_output().unwrap());
    assert_eq!(app.get("/").body, "three");
    assert_eq!(tip(&app), app.git(&["rev-parse", "HEAD"]));
}

#[test]
fn a_push_that_is_beside_what_was_deployed_meanwhile_is_refused_and_a_forced_one_is_not() {
    let platform = TestPlatform::start();
    let app = platform.app("beside");
    app.greets("base").deploy();
    slow_build(&app, 3);
    let first = app.push_in_background();
    until_state(&app, 0, "running");
    app.git(&["reset", "-q", "--hard", "HEAD~1"]);
    app.greeting("beside");
    let beside = app.push();
    success(&first.wait_with_output().unwrap());
    assert!(!beside.ok && beside.text.contains("which this push does not contain"), "{}", beside.text);
    assert!(beside.text.contains("git pull --rebase paas main"), "{}", beside.text);
    assert_eq!(app.get("/").body, "slow");
    let forced = app.push_with(&["push", "--force", "paas", "main"]);
    assert!(forced.ok, "{}", forced.text);
    assert_eq!((app.get("/").body, tip(&app)), ("beside".to_owned(), app.git(&["rev-parse", "HEAD"])));
}

#[test]
fn what_a_pusher_who_left_began_is_what_the_next_push_builds_on() {
    let platform = TestPlatform::start();
    let app = platform.app("relay");
    slow_build(&app, 3);
    let mut first = app.push_in_background();
    until_state(&app, 0, "running");
    let left = app.git(&["rev-parse", "HEAD"]);
    interrupt(&mut first);
    app.write("greeting", "next").commit("Next");
    let next = app.push();
    assert!(next.ok, "{}", next.text);
    let releases = app.json(&["releases"]);
    assert_eq!(releases.as_array().unwrap().len(), 2, "{releases}");
    assert!(releases.to_string().contains(&left[..7]), "{releases}");
    assert_eq!(app.get("/").body, "next");
}

#[test]
fn a_refused_push_leaves_every_reference_of_it_where_it_was() {
    let platform = TestPlatform::start();
    let app = platform.app("whole");
    app.greets("one").deploy();
    let serves = tip(&app);
    app.write("Procfile", "web: exit 3\n").commit("Broken").git(&["tag", "broken"]);
    for atomic in [&["push", "paas", "main", "broken"][..], &["push", "--atomic", "paas", "main", "broken"]] {
        let refused = app.push_with(atomic);
        assert!(!refused.ok && refused.text.contains("(not deployed)"), "{}", refused.text);
    }
    assert_eq!((tip(&app), app.git(&["ls-remote", "paas", "refs/tags/*"])), (serves, String::new()));
    app.greets("two").git(&["tag", "good"]);
    let pushed = app.push_with(&["push", "--atomic", "-o", "clear-cache", "paas", "main", "good"]);
    assert!(pushed.ok, "{}", pushed.text);
    assert_eq!(app.get("/").body, "two");
    assert!(!app.git(&["ls-remote", "paas", "refs/tags/good"]).is_empty());
}

#[test]
fn a_shallow_clone_can_push_on_top_of_what_is_being_deployed() {
    let platform = TestPlatform::start();
    let app = platform.app("shallows");
    slow_build(&app, 4);
    let first = app.push_in_background();
    until_state(&app, 0, "running");
    let shallow = platform.scratch().join("clone");
    let from = format!("file://{}", app.dir.display());
    app.git(&["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let url =
        app.git(&["remote", "get-url", "paas"]).replace("http://", &format!("http://x:{}@", platform.token));
    std::fs::write(shallow.join("greeting"), "shallow").unwrap();
    let git = |arguments: &[&str]| {
        let mut git = platform.command(std::path::Path::new("git"), &shallow);
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(arguments);
        success(&git.output().unwrap())
    };
    git(&["commit", "-q", "-a", "-m", "Shallow"]);
    git(&["push", &url, "main"]);
    success(&first.wait_with_output().unwrap());
    assert_eq!(app.get("/").body, "shallow");
}

#[test]
fn pushes_that_wait_when_the_server_dies_are_carried_out_by_the_next_one() {
    let mut platform = TestPlatform::start();
    let pushers = {
        let app = platform.app("lives");
        app.greets("one").deploy();
        slow_build(&app, 3);
        let running = app.push_in_background();
        until_state(&app, 0, "running");
        [running, push_next(&app, "on top")]
    };
    platform.restart(false);
    for pusher in pushers {
        assert!(!pusher.wait_with_output().unwrap().status.success(), "nobody knows yet how it ends");
    }
    let app = platform.known_app("lives");
    let head = app.git(&["rev-parse", "HEAD"]);
    wait::until("the branch to move", || (tip(&app) == head).then_some(()));
    assert_eq!(app.get("/").body, "on top");
    let repository = std::fs::read_dir(platform.data.join("repos")).unwrap().flatten();
    let repository = repository.map(|entry| entry.path()).find(|path| path.join("HEAD").exists()).unwrap();
    wait::until("nothing to be kept for builds or pushes", || {
        let mut git = platform.command(std::path::Path::new("git"), &repository);
        let left = git.args(["-c", "safe.directory=*", "for-each-ref", "refs/paas"]).output().unwrap();
        (left.status.success() && left.stdout.is_empty()).then_some(())
    });
}
