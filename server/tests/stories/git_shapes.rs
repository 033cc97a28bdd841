//! The shapes a push can have.

use crate::platform::TestPlatform;

#[test]
fn another_branch_and_a_tag_are_kept_and_nothing_is_deployed() {
    let platform = TestPlatform::start();
    let app = platform.app("branches");
    app.greets("one").deploy();
    app.git(&["tag", "v1.0"]);
    app.git(&["checkout", "-q", "-b", "feature"]);
    app.greets("feature");
    let pushed = app.push_with(&["push", "paas", "feature", "v1.0"]);
    assert!(pushed.ok, "{}", pushed.text);
    assert!(
        pushed.text.to_lowercase().contains("nothing is deployed") || pushed.text.contains("not deployed"),
        "{}",
        pushed.text
    );
    assert_eq!(app.get("/").body, "one");
    let pushed = app.push_with(&["push", "paas", "feature:main"]);
    assert!(pushed.ok, "{}", pushed.text);
    assert_eq!(app.get("/").body, "feature");
}

#[test]
fn force_pushes_and_empty_commits_deploy_and_the_branch_cannot_be_deleted() {
    let platform = TestPlatform::start();
    let app = platform.app("forced");
    app.greets("one").deploy();
    app.write("greeting", "two").git(&["commit", "-q", "-a", "--amend", "-m", "Rewritten"]);
    let pushed = app.push();
    assert!(!pushed.ok, "{}", pushed.text);
    let forced = app.push_with(&["push", "--force", "paas", "main"]);
    assert!(forced.ok, "{}", forced.text);
    assert_eq!(app.get("/").body, "two");
    app.commit("Empty").deploy();
    let deleted = app.push_with(&["push", "paas", ":main"]);
    assert!(!deleted.ok, "{}", deleted.text);
    assert_eq!(app.get("/").body, "two");
}

#[test]
fn unicode_names_symlinks_and_ignored_exports_arrive_as_committed() {
    let platform = TestPlatform::start();
    let app = platform.app("exact");
    app.greets("one")
        .write("bin/web", "#!/bin/bash\nexec python3 -m http.server -d . $PORT\n")
        .executable("bin/web");
    app.write("grüße/日本.txt", "unicode")
        .write("kept.txt", "kept")
        .write(".gitattributes", "kept.txt export-ignore\n");
    std::os::unix::fs::symlink("kept.txt", app.dir.join("link.txt")).unwrap();
    app.commit("Shapes").deploy();
    assert_eq!(app.get("/gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC.txt").body, "unicode");
    assert_eq!(app.get("/link.txt").body, "kept");
    assert_eq!(app.get("/.git/HEAD").status, 404);
}

#[test]
fn a_shallow_clone_can_push() {
    let platform = TestPlatform::start();
    let app = platform.app("shallow");
    app.greets("one").commit("More").commit("And more");
    let shallow = platform.scratch().join("clone");
    let from = format!("file://{}", app.dir.display());
    app.git(&["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let url =
        app.git(&["remote", "get-url", "paas"]).replace("http://", &format!("http://x:{}@", platform.token));
    let pushed = platform
        .command(std::path::Path::new("git"), &shallow)
        .args(["push", &url, "main"])
        .output()
        .unwrap();
    assert!(pushed.status.success(), "{}", crate::app::text(&pushed));
    assert_eq!(app.get("/").body, "one");
}

#[test]
fn unknown_app_wrong_token_and_no_access_are_told_apart() {
    let platform = TestPlatform::start();
    let app = platform.app("private");
    app.greets("one").deploy();
    let git = |url: String| {
        let output = app.git_command().args(["push", &url, "main"]).output().unwrap();
        assert!(!output.status.success());
        crate::app::text(&output)
    };
    let url = |token: &str, name: &str| format!("http://x:{token}@{}/{name}.git", platform.api);
    let unknown = git(url(&platform.token, "privat"));
    assert!(unknown.contains("no app `privat`") && unknown.contains("private"), "{unknown}");
    let wrong = git(url("paas_wrong", "private"));
    assert!(wrong.contains("token is wrong"), "{wrong}");
    let (status, created) = platform.api(
        "POST",
        "/oauth/authorizations",
        &platform.token,
        Some(serde_json::json!({"description": "looker", "scope": ["read"]})),
    );
    assert_eq!(status, 201, "{created}");
    let reader = created["access_token"]["token"].as_str().unwrap().to_owned();
    let refused = git(url(&reader, "private"));
    assert!(refused.contains("tokens:create --scope write"), "{refused}");
    let (status, _) = platform.api(
        "POST",
        "/users",
        &platform.token,
        Some(serde_json::json!({"email": "eve@example.org"})),
    );
    assert_eq!(status, 201);
    let body = serde_json::json!({"description": "eve", "scope": ["write"], "user": "eve@example.org"});
    let (status, created) = platform.api("POST", "/oauth/authorizations", &platform.token, Some(body));
    assert_eq!(status, 201, "{created}");
    let stranger = git(url(created["access_token"]["token"].as_str().unwrap(), "private"));
    assert!(stranger.contains("You have no access to `private`"), "{stranger}");
}

#[test]
fn a_push_that_is_too_large_is_refused_before_harm() {
    let platform = TestPlatform::start_with(&["--push-mb", "1"]);
    let app = platform.app("large");
    app.greets("one");
    let mut seed = 12_345_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    })
    .take(3_000_000)
    .collect();
    std::fs::write(app.dir.join("noise"), noise).unwrap();
    app.commit("Too large");
    let pushed = app.push();
    assert!(!pushed.ok, "{}", pushed.text);
    assert!(pushed.text.contains("1.0 MB") || pushed.text.contains("MB"), "{}", pushed.text);
}
