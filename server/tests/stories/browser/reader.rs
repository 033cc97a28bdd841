//! Somebody who may only look: no page has a button that changes the app, and a form made by hand is refused.

use serde_json::{Value, json};

use super::chromium::{Chromium, Look};
use crate::platform::TestPlatform;

/// Whatever changes an app, with the fields of its form.
const CHANGES: [(&str, &str); 20] = [
    ("scale", "type=web&quantity=3"),
    ("restart", ""),
    ("restart", "replica=web.1"),
    ("releases/v1/rollback", ""),
    ("config/set", "name=A&value=b"),
    ("config/unset", "name=SECRET"),
    ("config/paste", "text=A%3Db"),
    ("config/reveal", "name=SECRET"),
    ("config/reveal", ""),
    ("settings", "%2Fdrain_seconds=1"),
    ("pins/upgrade", ""),
    ("domains/add", "hostname=evil.example.org"),
    ("domains/remove", "domain=www.example.org&hostname=www.example.org"),
    ("collaborators/add", "email=reader%40example.org&scope=own"),
    ("collaborators/remove", "email=reader%40example.org"),
    ("maintenance", "on=true"),
    ("rename", "name=stolen"),
    ("destroy", "name=shop"),
    ("builds/BUILD/cancel", ""),
    ("rollouts/OPERATION/cancel", ""),
];

/// What somebody is told who may only look, of what others may do.
const REFUSALS: [&str; 2] = ["you were invited to look at this app", "owner and administrators may do this"];

/// Adds a user who may read the app, and returns a token of theirs.
fn reader(platform: &TestPlatform) -> String {
    let send = |path: &str, body: Value| {
        let (status, answer) = platform.api("POST", path, &platform.token, Some(body));
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    };
    send("/users", json!({ "email": "reader@example.org", "scope": "write" }));
    send("/apps/shop/collaborators", json!({ "user": "reader@example.org", "scope": "read" }));
    let token = send("/oauth/authorizations", json!({ "user": "reader@example.org", "scope": ["write"] }));
    token["access_token"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn who_may_only_look_changes_nothing_by_button_or_by_request() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("one").deploy();
    app.greets("two").deploy();
    // The end of a watch is a change, too.
    app.paasctl(&["settings:set", "watch-seconds=0"]);
    app.paasctl(&["config:set", "SECRET=hunter2hunter2"]);
    let state = || {
        ["", "/releases", "/formation", "/settings", "/domains", "/collaborators", "/activity"].map(|part| {
            let (status, found) = platform.api("GET", &format!("/apps/shop{part}"), &platform.token, None);
            assert!(status < 300, "{part}: {found}");
            found
        })
    };
    let browser = Chromium::with_token(&platform, &reader(&platform), Look::USUAL);
    let before = state();
    for page in [
        "",
        "/releases",
        "/releases/v1",
        "/releases/v1/rollback",
        "/builds",
        "/logs",
        "/config",
        "/settings",
        "/activity",
    ] {
        browser.open(&format!("/dashboard/apps/shop{page}"));
        let buttons =
            browser.count("main form[method='post'] :is(button, input:enabled:not([type='hidden']))");
        assert_eq!(buttons, 0, "{page}: {}", browser.text("main"));
        assert!(!browser.source().contains("hunter2"), "{page}");
    }
    let build = app.json(&["builds"])[0]["id"].as_str().unwrap().to_owned();
    let (_, release) = platform.api("GET", "/apps/shop/releases/3", &platform.token, None);
    let operation = release["operation"].as_str().unwrap_or_else(|| panic!("{release}"));
    for (path, fields) in CHANGES {
        let path = path.replace("BUILD", &build).replace("OPERATION", operation);
        let answer = forge(&browser, &path, fields);
        let (status, page) = (answer[0].as_u64().unwrap(), answer[1].as_str().unwrap());
        let refused = REFUSALS.iter().any(|refusal| page.contains(refusal));
        assert!(status < 500 && refused, "{path}: {status}\n{page}");
        assert!(!page.contains("hunter2"), "{path}");
    }
    assert_eq!(state(), before);
    assert_eq!(app.get("/").body, "two");
}

/// Sends a form with the mark of this session, follows to where it leads, and returns the status and the page.
fn forge(browser: &Chromium, path: &str, fields: &str) -> Value {
    browser.evaluate_async(&format!(
        "const done = arguments[arguments.length - 1];
         const body = new URLSearchParams({fields:?});
         body.set('mark', document.querySelector('[name=mark]').value);
         fetch('/dashboard/apps/shop/{path}', {{ method: 'POST', body }})
           .then(async answer => done([answer.status, await answer.text()]), error => done([0, String(error)]))"
    ))
}
