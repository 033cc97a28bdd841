//! Static sites with the real file server: what it would not serve is not released.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use build::{Builder, FailureKind, Tools};

use crate::world::{App, Ended};

/// Returns the file server, built if it is not.
fn static_server() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "static-server", "--target-dir"]).arg(target);
    assert!(cargo.status().unwrap().success(), "the file server could not be built");
    target.join("debug/static-server")
}

fn app() -> App {
    let mut app = App::new();
    app.builder = Builder::new(Arc::clone(&app.host), Tools::new(None, Some(static_server())));
    app
}

fn refused<'a>(ended: &'a Ended, reason: &str) -> &'a str {
    let failure = ended.failure();
    assert!(matches!(failure.kind, FailureKind::Compile { .. }), "{failure:?}");
    assert!(failure.reason.contains(reason), "{failure:?}");
    failure.hint.as_deref().expect(&ended.log)
}

#[tokio::test]
async fn a_root_out_of_the_source_is_not_released() {
    let mut app = app();
    let ended = app.push(&[("static.json", r#"{"root": "../"}"#), ("index.html", "")]).await;
    let hint = refused(&ended, "`root` in static.json is `../`, which is out of the app");
    assert_eq!(hint, "set `root` in static.json to a folder of the app that is committed");
    let request = app.request(&[("site/index.html", "")]);
    symlink("/usr/share", request.source.join("link")).unwrap();
    std::fs::write(request.source.join("static.json"), r#"{"root": "link"}"#).unwrap();
    refused(&app.run(request).await, "is `link`, which is out of the app");
}

/// By hand: in a sandbox hardly anything lies outside that such a link could lead to.
#[test]
fn a_site_that_is_a_link_out_of_the_source_is_not_released() {
    let dir = tempfile::tempdir().unwrap();
    let [source, outside, home] = ["source", "outside", "home"].map(|name| dir.path().join(name));
    std::fs::create_dir(&source).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("index.html"), "").unwrap();
    symlink(&outside, source.join("dist")).unwrap();
    let buildpacks = detection::builtin().unwrap();
    buildpacks.iter().find(|buildpack| buildpack.name == "static").unwrap().unpack(&home).unwrap();
    let path = format!("{}:/usr/bin:/bin", static_server().parent().unwrap().display());
    let mut compile = Command::new(home.join("bin/compile"));
    let output =
        compile.arg(&source).current_dir(&home).env("PATH", path).env_remove("BUILD_REPORT").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(" !     dist is a link that leads out of the source\n"), "{said}");
}

#[tokio::test]
async fn a_wrong_static_json_fails_with_a_sentence_and_an_unknown_key_is_a_warning() {
    let mut app = app();
    for (text, reason) in [
        (r#"{"root": "#, "static.json is no JSON: EOF"),
        (r#"{"clean_urls": "yes"}"#, "`clean_urls` in static.json is wrong"),
        (r#"{"headers": {"/**": {"a b": "c"}}}"#, "`a b` in `headers` of static.json is no name"),
        (r#"{"error_page": "404.html"}"#, "`error_page` in static.json names `404.html`"),
        (r#"{"routes": {"/**": "app.html"}}"#, "`routes` in static.json names `app.html`"),
    ] {
        let ended = app.push(&[("static.json", text), ("index.html", "")]).await;
        refused(&ended, reason);
    }
    let known = [("static.json", r#"{"root": "dist/", "proxies": {}}"#), ("dist/index.html", "")];
    let ended = app.push(&known).await;
    assert_eq!(ended.web(), ".paas/bin/static-server --config static.json");
    assert!(
        ended.log.contains(" !     `proxies` in static.json is not supported and has no effect\n"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("static.json configures it, the site is in dist/\n"), "{}", ended.log);
}
