//! What is wrong with a site is told before it is served, and before it is built.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[expect(dead_code, reason = "nothing is served here")]
mod server;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use server::site;

fn run(root: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_static-server"));
    command.args(["--config", "static.json"]).args(options).env_remove("PORT").current_dir(root);
    command.output().unwrap()
}

/// Returns what a check says of this static.json, and asserts that a start is refused for the same reason.
fn refusal(config: &str) -> String {
    let root = site(&[("public/index.html", "home"), ("public/.env", "secret"), ("static.json", config)]);
    symlink("/etc", root.path().join("link")).unwrap();
    let checked = run(root.path(), &["--check"]);
    assert_eq!(checked.status.code(), Some(1), "{config}: {checked:?}");
    let said = String::from_utf8(checked.stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    let [reason, hint] = lines[..] else { panic!("{said}") };
    let started = run(root.path(), &["--port", "0"]);
    assert_eq!(started.status.code(), Some(1), "{config}");
    let complaint = String::from_utf8(started.stderr).unwrap();
    assert_eq!(complaint, format!("static-server: {reason}; {hint}\n"));
    said
}

#[test]
fn a_root_out_of_the_app_is_refused_however_it_is_written() {
    for root in ["../", "..", "public/../..", "link", "/../", "./link/"] {
        let said = refusal(&format!("{{\"root\": \"{root}\"}}"));
        assert!(said.contains("which is out of the app\nset `root`"), "{root}: {said}");
    }
    assert!(
        refusal(r#"{"root": "dist"}"#).starts_with("the site is in `dist`, and there is no such folder\n")
    );
    assert!(refusal(r#"{"root": "static.json"}"#).contains("there is no such folder"));
}

#[test]
fn a_file_that_is_named_has_to_be_one_that_visitors_may_see() {
    for target in ["nothing.html", ".env", "../static.json", "index.html/x"] {
        let said = refusal(&format!(r#"{{"root": "public", "error_page": "{target}"}}"#));
        assert!(
            said.starts_with(&format!("`error_page` in static.json names `{target}`, which is no file")),
            "{said}"
        );
        let said = refusal(&format!(r#"{{"root": "public", "routes": {{"/**": "{target}"}}}}"#));
        assert!(said.starts_with(&format!("`routes` in static.json names `{target}`")), "{said}");
    }
}

#[test]
fn what_could_not_be_served_as_it_says_is_refused() {
    for (config, said) in [
        ("{", "static.json is no JSON"),
        (r#"{"clean_urls": 1}"#, "`clean_urls` in static.json is wrong"),
        (r#"{"headers": {"/": {"a b": "c"}}}"#, "`a b` in `headers` of static.json is no name of a header"),
        (
            r#"{"headers": {"/": {"a": "b\nc"}}}"#,
            "the value of `a` in `headers` of static.json cannot be sent",
        ),
        (r#"{"basic_auth": true}"#, "`basic_auth` in static.json is not supported"),
    ] {
        assert!(refusal(config).starts_with(said), "{config}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let said = String::from_utf8(run(nothing.path(), &["--check"]).stderr).unwrap();
    assert!(said.starts_with("could not read static.json: No such file"), "{said}");
}

#[test]
fn a_check_prints_the_folder_and_what_has_no_effect() {
    let config = r#"{"root": "/public/", "error_page": "/index.html", "routes": {"/**": "index.html"}, "proxies": {}}"#;
    let root = site(&[("public/index.html", "home"), ("static.json", config)]);
    let checked = run(root.path(), &["--check"]);
    assert!(checked.status.success(), "{checked:?}");
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(said, "public/\n`proxies` in static.json is not supported and has no effect\n");
}
