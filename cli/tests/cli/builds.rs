//! Builds as they are listed, explained, followed and cancelled; pins, and detection without a server.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

const FIRST: &str = "0190a1a0-0b1c-7000-8000-000000000001";
const SECOND: &str = "0190a1b2-c3d4-7000-8000-000000000002";

fn build(id: &str, state: &str, created: &str, more: Value) -> Value {
    let commit = json!({"id": "8f3a2c1d00", "subject": "Add the cart and everything that belongs to a cart", "author": "Ada"});
    let mut build = json!({
        "id": id, "state": state, "commit": commit, "branch": "main", "created_at": created, "started_at": created,
        "finished_at": null, "slug": null, "release": null, "reason": null, "hint": null, "durations": null,
    });
    build.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build
}

fn both() -> Value {
    let ended = json!({"finished_at": "2026-01-05T10:00:10Z", "release": {"id": "r", "version": 41}});
    json!([
        build(FIRST, "succeeded", "2026-01-05T10:00:00Z", ended),
        build(SECOND, "running", "2026-01-05T11:59:55Z", json!({})),
    ])
}

#[test]
fn the_newest_come_first_and_lines_fit_80_columns() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/builds", both());
    let shown = env.run(&["builds", "-a", "shop"]);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert_snapshot!(shown, @"
    BUILD          STATE      COMMIT                       RELEASE  TOOK   WHEN
    0190a1b2-c3d4  running    8f3a2c1d Add the cart and…            5.0 s  5.0 s ago
    0190a1a0-0b1c  succeeded  8f3a2c1d Add the cart and…   v41      10 s   2 h ago
    ");
}

#[test]
fn a_build_is_found_by_the_beginning_of_its_id_and_explains_its_detection() {
    let env = TestEnvironment::new();
    let trace = json!({
        "attempts": [
            {"buildpack": "python", "matched": false, "therefore": "no Python app", "looked_for": [
                {"path": "requirements.txt", "found": false}, {"path": "uv.lock", "found": false}]},
            {"buildpack": "procfile", "matched": true, "therefore": "an app that brings its own executable",
             "looked_for": [{"path": "Procfile", "found": true, "note": "2 types"}]},
        ],
        "chosen": "procfile", "because": "a Procfile was found", "hint": null,
        "versions": [{"name": "python", "version": "3.11.2", "requested": ">=3.11", "origin": "pyproject.toml", "pinned": true, "newer": "3.12.1"}],
        "processes": [{"process": "web", "command": "bin/web", "origin": "Procfile"}],
    });
    let more = json!({"trace": trace, "durations": {"detect": 100, "compile": 8200}});
    env.server.on("GET /apps/shop/builds", both()).on(
        &format!("GET /apps/shop/builds/{SECOND}"),
        build(SECOND, "running", "2026-01-05T11:59:55Z", more),
    );
    assert_snapshot!(env.run(&["builds:info", "0190a1b2", "-a", "shop"]), @"
    Build      0190a1b2-c3d4-7000-8000-000000000002
    State      running
    Commit     8f3a2c1d Add the cart and everything that belongs to a cart (Ada)
    Branch     main
    Asked for  2026-01-05 11:59:55 UTC (5.0 s ago)
    Took       5.0 s (compile 8.2 s, detect 0.1 s)

    python    not found  requirements.txt, uv.lock
              therefore  no Python app
    procfile  found      Procfile (2 types)
              therefore  an app that brings its own executable
    => procfile: a Procfile was found
    python 3.11.2 (pyproject.toml, asked for >=3.11, pinned); `pins:upgrade` would take 3.12.1
    web runs `bin/web` (Procfile)
    ");
    assert_snapshot!(env.run(&["builds:info", "0190", "-a", "shop"]), @"
    --- stderr
    Error: 2 builds begin with `0190`
      Hint: Give more of the id, such as `0190a1b2-c3d4`.
    --- exit Some(1)
    ");
    assert_snapshot!(env.run(&["builds:info", "ffff", "-a", "shop"]), @"
    --- stderr
    Error: no build `ffff`
      Hint: `paasctl builds -a shop` lists its builds.
    --- exit Some(1)
    ");
    let unlisted = "0190a1a0-0000-7000-8000-000000000009";
    let old = build(unlisted, "failed", "2026-01-01T12:00:00Z", json!({}));
    env.server.on(&format!("GET /apps/shop/builds/{unlisted}"), old);
    let shown = env.run(&["builds:info", unlisted, "-a", "shop"]);
    assert!(shown.contains(unlisted), "a whole id is enough, however old: {shown}");
}

#[test]
fn the_output_is_followed_and_harmless_on_json_too() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/builds", both()).answer(
        &format!("GET /apps/shop/builds/{SECOND}/output?follow=1"),
        200,
        &[],
        "-----> Python\n\u{1b}[1mdone\u{1b}[0m\n",
    );
    assert_snapshot!(env.run(&["builds:output", "-a", "shop"]), @"
    -----> Python
    [1mdone[0m
    ");
    assert_snapshot!(env.run(&["builds:output", "-a", "shop", "--json"]), @r#"
    {"text":"-----> Python"}
    {"text":"\u001b[1mdone\u001b[0m"}
    "#);
}

#[test]
fn cancel_takes_the_build_that_runs_and_waits_until_it_has_ended() {
    let env = TestEnvironment::new();
    let path = format!("/apps/shop/builds/{SECOND}");
    env.server
        .on("GET /apps/shop/builds", both())
        .refuse(&format!("POST {path}/actions/cancel"), 202, json!({}))
        .on(&format!("GET {path}"), build(SECOND, "running", "2026-01-05T11:59:55Z", json!({})))
        .on(&format!("GET {path}"), build(SECOND, "cancelled", "2026-01-05T11:59:55Z", json!({})));
    assert_snapshot!(env.run(&["builds:cancel", "-a", "shop"]), @"
    --- stderr
    Cancelled build 0190a1b2-c3d4
    ");
}

#[test]
fn a_rollout_is_no_build_and_cancel_says_what_ends_it() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop/builds", json!([build(SECOND, "succeeded", "2026-01-05T11:59:55Z", json!({}))]))
        .on(
            "GET /apps/shop/operations?state=active",
            json!([{"state": "active", "release": {"version": 42}}]),
        );
    assert_snapshot!(env.run(&["builds:cancel", "-a", "shop"]), @"
    --- stderr
    Error: no build of shop is under way
      Hint: v42 is being rolled out: `paasctl releases:cancel -a shop` cancels that.
    --- exit Some(1)
    ");
}

#[test]
fn pins_are_listed_and_released() {
    let env = TestEnvironment::new();
    env.server
        .on(
            "GET /apps/shop/pins",
            json!({"python": {"version": "3.11.2", "requested": ">=3.11", "origin": "pyproject.toml"}}),
        )
        .on("POST /apps/shop/pins/actions/upgrade", json!({"released": ["python"]}));
    assert_snapshot!(env.run(&["pins", "-a", "shop"]), @"
    NAME    VERSION  ASKED FOR  BY
    python  3.11.2   >=3.11     pyproject.toml
    ");
    assert_snapshot!(env.run(&["pins:upgrade", "-a", "shop"]), @"
    --- stderr
    The next build of shop chooses python anew.
    `git commit --allow-empty -m 'Upgrade' && git push paas main` starts one.
    ");
    assert_eq!(env.server.asked()[1], "POST /apps/shop/pins/actions/upgrade {}");
}

#[test]
fn a_pin_of_many_versions_is_counted_and_digests_are_not_shown() {
    let env = TestEnvironment::new();
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let list = "flask==3.1.0\njinja2==3.1.4\nwerkzeug==3.1.3\n";
    let pins = json!({
        "packages": {"version": list, "requested": digest, "origin": "requirements.txt"},
        "uv": {"version": "0.9.9\n", "requested": null, "origin": "default"},
    });
    env.server.on("GET /apps/shop/pins", pins);
    assert_snapshot!(env.run(&["pins", "-a", "shop"]), @"
    NAME      VERSION     ASKED FOR  BY
    packages  3 versions             requirements.txt
    uv        0.9.9                  default
    ");
}

#[test]
fn detection_needs_no_server() {
    let env = TestEnvironment::new();
    std::fs::write(env.work().join("requirement.txt"), "flask\n").unwrap();
    let mut command = env.bare(env!("CARGO_BIN_EXE_paasctl"));
    let refused = env.shown(&command.args(["detect"]).output().unwrap());
    assert!(refused.contains("requirements.txt") && refused.contains("--- exit Some(1)"), "{refused}");
    std::fs::write(env.work().join("requirements.txt"), "flask\n").unwrap();
    let found = env.shown(&command.output().unwrap());
    assert!(found.contains("=> python") && !found.contains("exit"), "{found}");
    let json: Value = serde_json::from_slice(&command.arg("--json").output().unwrap().stdout).unwrap();
    assert_eq!(json["chosen"], "python");
}
