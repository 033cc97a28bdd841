//! The pages of releases and builds: what they tell, going back, cancelling, and what comes of it for who may only look.

use std::collections::BTreeMap;

use model::access::Scope;
use model::build::BuildState;
use model::detection::{Attempt, DetectionTrace, Look};
use model::id::BuildId;
use model::release::CommitRef;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::Server;

fn shop(server: &Server) {
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
}

fn set(server: &Server, vars: Value) {
    server.ask("PATCH", "/apps/shop/config-vars").body(vars).expect(200);
}

/// A browser of somebody who may look at the app only.
fn reader(server: &Server) -> Browser<'_> {
    let (reader, token) = server.user("reader@example.org", Scope::Write);
    let app = server.app("shop");
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    Browser::with_token(server, &token)
}

/// Queues a build and writes its output.
fn build(server: &Server, output: &str) -> String {
    let app = server.app("shop");
    let id = BuildId::new();
    let commit = CommitRef {
        id: "8f3a2c1d".repeat(5),
        subject: "Add <b>the</b> cart".to_owned(),
        author: "Ada".to_owned(),
    };
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let new = store::NewBuild {
            id,
            app: app.id,
            user: app.owner_id,
            commit: Some(commit),
            branch: Some("main".to_owned()),
            options: json!({}),
        };
        store::enqueue_build(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
    });
    let log = paasd::builds::log_path(&server.platform, id);
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(log, output).unwrap();
    id.to_string()
}

/// Ends a build as one that failed, with a trace.
fn fail(server: &Server, id: &str) {
    let id: BuildId = id.parse().unwrap();
    let look = |path: &str, found| Look { path: path.to_owned(), found, note: None };
    let attempt = Attempt {
        buildpack: "python".to_owned(),
        looked_for: vec![look("uv.lock", false), look("requirements.txt", true)],
        matched: true,
        therefore: "a Python app".to_owned(),
    };
    let trace = DetectionTrace {
        attempts: vec![attempt],
        chosen: Some("python".to_owned()),
        because: "requirements.txt was found".to_owned(),
        ..DetectionTrace::default()
    };
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_build_trace(&mut tx, id, &trace).await.unwrap();
        let outcome = store::BuildOutcome {
            state: BuildState::Failed,
            reason: Some("flask cannot be installed".to_owned()),
            hint: Some("look at requirements.txt".to_owned()),
            slug: None,
            durations: BTreeMap::from([("detect".to_owned(), 100), ("total".to_owned(), 400)]),
        };
        store::finish_build(&mut tx, id, outcome).await.unwrap();
        tx.commit().await.unwrap();
    });
    server.platform.changed();
}

#[track_caller]
fn has(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text} is not in {page}");
    }
}

#[test]
fn an_app_without_releases_and_builds_teaches_how_to_make_one() {
    let server = Server::start();
    shop(&server);
    let mut browser = Browser::of_admin(&server);
    for (path, title) in [("releases", "No release yet"), ("builds", "No build yet")] {
        let page = browser.get(&format!("/dashboard/apps/shop/{path}")).text;
        has(&page, &[title, "git remote add paas http", "/shop.git", "data-copy"]);
    }
    has(&browser.get("/dashboard/apps/shop/releases/diff").text, &["no release yet to compare"]);
}

#[test]
fn releases_tell_what_they_are_and_a_rollout_its_steps() {
    let server = Server::start();
    shop(&server);
    server.deploy(&server.app("shop"), "a");
    set(&server, json!({ "GREETING": "secret-value" }));
    let mut browser = Browser::of_admin(&server);
    let app = server.app("shop");
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let operation = store::active_operation(&mut tx, app.id).await.unwrap().unwrap();
        store::add_step(&mut tx, operation.id, "web.1 of v2 is healthy").await.unwrap();
        tx.commit().await.unwrap();
    });
    let page = browser.get("/dashboard/apps/shop/releases").text;
    has(
        &page,
        &["Rolling out v2", "web.1 of v2 is healthy", "Deploy 12345678", "Set GREETING", "rolling out"],
    );
    assert!(!page.contains("secret-value"));
    let id = server.get("/apps/shop/operations?state=active")[0]["id"].as_str().unwrap().to_owned();
    let cancel = format!("/dashboard/apps/shop/rollouts/{id}/cancel");
    has(&page, &[&cancel]);
    assert!(!reader(&server).get("/dashboard/apps/shop/releases").text.contains(&cancel));
    let page = reader(&server).submit(&cancel, &[]).text;
    has(&page, &["not to change it", "Rolling out v2"]);
    has(&browser.submit(&cancel, &[]).text, &["Cancelled; what served before", ">cancelled<"]);
    let page = browser.get("/dashboard/apps/shop/releases/v2").text;
    has(&page, &["What it changed", "GREETING", "cancelled by admin@localhost", "web.1 of v2 is healthy"]);
    has(&browser.get("/dashboard/apps/shop/releases/v1").text, &["It is the first", "flask", "serve"]);
    assert_eq!(browser.get("/dashboard/apps/shop/releases/v99").status, 404);
    has(&browser.get("/dashboard/apps/shop").text, &["/dashboard/apps/shop/releases/v2"]);
}

#[test]
fn a_rollback_shows_first_what_it_changes_and_then_happens() {
    let server = Server::start();
    shop(&server);
    server.deploy(&server.app("shop"), "a");
    set(&server, json!({ "GREETING": "secret-value" }));
    server.deploy(&server.app("shop"), "b");
    let mut browser = Browser::of_admin(&server);
    let path = "/dashboard/apps/shop/releases/v1/rollback";
    has(&browser.get("/dashboard/apps/shop/releases").text, &[path]);
    let page = browser.get(path).text;
    has(&page, &["What changes from v3", "GREETING", "removed", "releases:rollback v1 -a shop"]);
    assert!(!page.contains("secret-value"));
    assert_eq!(server.get("/apps/shop/releases").as_array().unwrap().len(), 3, "looking changes nothing");
    let mut reader = reader(&server);
    assert!(!reader.get("/dashboard/apps/shop/releases").text.contains("/rollback"));
    has(&reader.get(path).text, &["What changes from v3", "not change it"]);
    has(&reader.submit(path, &[]).text, &["not to change it"]);
    assert_eq!(server.get("/apps/shop/releases").as_array().unwrap().len(), 3);
    has(&browser.submit(path, &[]).text, &["Rolling back to v1 as v4", "Rolling out v4", "Rollback to v1"]);
    assert_eq!(server.get("/apps/shop/releases/4")["rollback_of"], 1);
    has(&browser.get("/dashboard/apps/shop/releases/v3/rollback").text, &["nothing to go back to"]);
}

#[test]
fn any_two_releases_are_compared_without_scripts() {
    let server = Server::start();
    shop(&server);
    set(&server, json!({ "A": "1" }));
    set(&server, json!({ "B": "2" }));
    set(&server, json!({ "A": null }));
    let mut browser = Browser::of_admin(&server);
    let page = browser.get("/dashboard/apps/shop/releases/diff?from=1&to=v3").text;
    has(
        &page,
        &["<option value=\"1\" selected>", "<option value=\"3\" selected>", "<code>A</code> <small>removed"],
    );
    has(&page, &["<code>B</code> <small>added", "releases:diff v1 v3 -a shop"]);
    has(&browser.get("/dashboard/apps/shop/releases/diff?from=2&to=2").text, &["v2 and v2 run the same"]);
    assert_eq!(browser.get("/dashboard/apps/shop/releases/diff?from=x&to=2").status, 422);
    assert_eq!(browser.get("/dashboard/apps/shop/releases/diff?from=1&to=99").status, 404);
}

#[test]
fn older_releases_are_on_pages_of_their_own() {
    let server = Server::start();
    shop(&server);
    for n in 1..=33 {
        set(&server, json!({ "A": n.to_string() }));
    }
    let mut browser = Browser::of_admin(&server);
    let page = browser.get("/dashboard/apps/shop/releases").text;
    has(&page, &["releases/v33\"", "releases/v4\"", "releases?before=4\""]);
    assert!(!page.contains("releases/v3\""));
    let page = browser.get("/dashboard/apps/shop/releases?before=4").text;
    has(&page, &["releases/v3\"", "releases/v1\"", "The newest"]);
    assert!(!page.contains("releases/v4\"") && !page.contains("Older releases"));
}

#[test]
fn a_build_tells_how_it_was_found_out_and_why_it_failed() {
    let server = Server::start();
    shop(&server);
    let id = build(&server, "-----> Detecting\n\u{1b}[31mred <i>\u{1b}[0m\n !     Failed\n");
    let mut browser = Browser::of_admin(&server);
    let path = format!("/dashboard/apps/shop/builds/{id}");
    has(&browser.get("/dashboard/apps/shop").text, &[&format!("href=\"{path}\""), "is queued"]);
    let page = browser.get(&path).text;
    has(&page, &["lines?after=3", "Cancel the build", "as far as it is", "build.js"]);
    fail(&server, &id);
    let page = browser.get(&path).text;
    has(
        &page,
        &[
            "flask cannot be installed.",
            "look at requirements.txt",
            "a Python app",
            "requirements.txt was found",
        ],
    );
    has(
        &page,
        &[
            "<div class=\"line step\">",
            "<i class=\"f1\">red &#60;i&#62;</i>",
            "Add &#60;b&#62;the&#60;/b&#62; cart",
        ],
    );
    assert!(!page.contains("Cancel the build") && !page.contains("data-follow"), "{page}");
    has(
        &browser.get("/dashboard/apps/shop/builds").text,
        &[&path, "failed", "0.4 s", "flask cannot be installed."],
    );
    let log = browser.get(&format!("{path}/log"));
    assert!(log.header("content-disposition").unwrap().starts_with("attachment"));
    assert!(log.text.starts_with("-----> Detecting\n"));
}

#[test]
fn a_builds_lines_come_as_events_to_who_may_see_them() {
    let server = Server::start();
    shop(&server);
    let id = build(&server, "one\ntwo\nthree");
    fail(&server, &id);
    let path = format!("/dashboard/apps/shop/builds/{id}/lines");
    let mut browser = Browser::of_admin(&server);
    let events = browser.get(&format!("{path}?after=1"));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    has(&events.text, &["event: lines", "\"two\"", "\"three\"", "id: 3", "event: end\ndata: end"]);
    assert!(!events.text.contains("\"one\""), "{}", events.text);
    let again = browser.send("GET", &path, None, &[("last-event-id", "3")]).text;
    assert!(again.contains("event: end") && !again.contains("\"three\""), "{again}");
    assert!(reader(&server).get(&path).text.contains("\"one\""));
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    assert_eq!(Browser::with_token(&server, &stranger).get(&path).status, 404);
    assert_eq!(Browser::new(&server).get(&path).status, 303);
    server.ask("POST", "/apps").body(json!({ "name": "other" })).expect(201);
    let elsewhere = format!("/dashboard/apps/other/builds/{id}/lines");
    assert_eq!(browser.get(&elsewhere).status, 404, "a build is its app's");
}

#[test]
fn a_build_is_cancelled_by_who_may_change_the_app() {
    let server = Server::start();
    shop(&server);
    let id = build(&server, "");
    let path = format!("/dashboard/apps/shop/builds/{id}");
    let cancel = format!("{path}/cancel");
    let mut browser = Browser::of_admin(&server);
    let mut reader = reader(&server);
    assert!(!reader.get(&path).text.contains("Cancel the build"));
    has(&reader.submit(&cancel, &[]).text, &["not to change it", ">queued<"]);
    has(&browser.submit(&cancel, &[]).text, &["is being cancelled", ">cancelled<"]);
    assert_eq!(server.get("/apps/shop/activity")[0]["action"], "build.cancel");
}
