//! Releases: listed, shown and compared; rollbacks that are followed, overtaken or cancelled.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn release(version: u64, status: &str, more: Value) -> Value {
    let mut release = json!({
        "id": format!("id-{version}"), "version": version, "state": status, "current": false,
        "description": format!("Deploy {version}"), "user": {"id": "x", "email": "ada@example.com"},
        "created_at": "2026-01-05T10:00:00Z", "slug": null, "reason": null, "operation": null,
    });
    release.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    release
}

#[test]
fn the_newest_come_first_and_a_failed_one_with_its_reason() {
    let env = TestEnvironment::new();
    env.server.on(
        "GET /apps/shop/releases",
        json!([
            release(40, "succeeded", json!({})),
            release(41, "succeeded", json!({"current": true})),
            release(42, "failed", json!({"reason": "web.1 answers 500 on /\nlast line"})),
            release(43, "cancelled", json!({"reason": "cancelled by bob@example.com"})),
        ]),
    );
    assert_snapshot!(env.run(&["releases", "-n", "3", "-a", "shop"]), @"
    RELEASE  STATUS     WHAT       BY               WHEN
    v43      cancelled  Deploy 43  ada@example.com  2 h ago
      cancelled by bob@example.com
    v42      failed     Deploy 42  ada@example.com  2 h ago
      web.1 answers 500 on /
    v41      current    Deploy 41  ada@example.com  2 h ago
    ");
    assert_eq!(env.server.requests()[0].headers["range"], "version ..; order=desc, max=3");
}

#[test]
fn many_config_vars_do_not_stretch_the_list_and_are_all_in_the_details() {
    let env = TestEnvironment::new();
    let names = (1..=30).map(|n| format!("NAME_{n}")).collect::<Vec<_>>().join(", ");
    let wide = release(42, "succeeded", json!({"description": format!("Set {names} config vars")}));
    env.server.on("GET /apps/shop/releases", json!([wide])).on("GET /apps/shop/releases/42", wide);
    let list = env.shown(&env.command(&["releases", "-a", "shop"]).env_remove("COLUMNS").output().unwrap());
    assert!(list.contains("Set NAME_1, ") && list.lines().all(|line| line.chars().count() < 140), "{list}");
    let details = env.run(&["releases:info", "v42", "-a", "shop"]);
    assert!(details.contains(&names), "{details}");
}

#[test]
fn one_is_shown_in_detail() {
    let env = TestEnvironment::new();
    let commit = json!({"id": "8f3a2c1d00", "subject": "Add the cart", "author": "Ada"});
    let slug = json!({"id": "s", "digest": "5f70bf18a086aaaa", "bytes": 47_000_000});
    env.server
        .on("GET /apps/shop/releases/42", release(42, "pending", json!({"commit": commit, "slug": slug})))
        .refuse("GET /apps/shop/releases/99", 404, json!({"id": "not_found", "resource": "release"}));
    assert_snapshot!(env.run(&["releases:info", "v42", "-a", "shop"]), @"
    Release  v42
    Status   pending
    What     Deploy 42
    Commit   8f3a2c1d Add the cart (Ada)
    Slug     5f70bf18a086, 47.0 MB
    By       ada@example.com
    Made     2026-01-05 10:00:00 UTC (2 h ago)
    ");
    assert_snapshot!(env.run(&["releases:info", "v99", "-a", "shop"]), @"
    --- stderr
    Error: shop has no release v99
      Hint: `paasctl releases -a shop` lists its releases.
    --- exit Some(1)
    ");
}

#[test]
fn a_rollback_is_followed_until_it_serves() {
    let env = TestEnvironment::new();
    let steps = json!([{"at": "2026-01-05T12:00:00Z", "text": "web.1 of v43 is healthy"}]);
    env.server
        .on("GET /apps/shop/releases/41", release(41, "succeeded", json!({})))
        .on(
            "POST /apps/shop/releases",
            release(43, "pending", json!({"operation": "op1", "rollback_of": 41})),
        )
        .on("GET /apps/shop/operations/op1", json!({"state": "succeeded", "steps": steps}))
        .on("GET /apps/shop/releases/43", release(43, "succeeded", json!({"current": true})));
    assert_snapshot!(env.run(&["rollback", "v41", "-a", "shop"]), @"
    --- stderr
    Rolling shop back to v41 as v43.
      web.1 of v43 is healthy
    Done in 0.0 s.
    ");
    assert_eq!(env.server.asked()[1], r#"POST /apps/shop/releases {"release":"id-41"}"#);
    let shown = env.command(&["rollback", "-a", "shop", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&json["version"], &json["current"]), (&json!(43), &json!(true)));
}

#[test]
fn a_rollback_that_was_overtaken_did_not_happen() {
    let env = TestEnvironment::new();
    env.server
        .on(
            "POST /apps/shop/releases",
            release(43, "pending", json!({"operation": "op1", "rollback_of": 41})),
        )
        .on(
            "GET /apps/shop/operations/op1",
            json!({"state": "superseded", "superseded_by": "op2", "release": {"version": 43}}),
        );
    assert_snapshot!(env.run(&["rollback", "-a", "shop"]), @"
    --- stderr
    Rolling shop back to v41 as v43.
    Error: a newer release took the place of v43 before it served
      Hint: `paasctl releases -a shop` shows what serves now.
    --- exit Some(1)
    ");
}

#[test]
fn differences_are_told_by_kind_and_config_by_name() {
    let env = TestEnvironment::new();
    env.server
        .on(
            "GET /apps/shop/releases/41/diff/42",
            json!({
                "commits": [{"id": "8f3a2c1d00", "subject": "Add the cart", "author": "Ada"}], "more_commits": 3,
                "files": [
                    {"path": "app.py", "status": "modified", "added": 12, "removed": 3},
                    {"path": "logo.png", "status": "added", "added": null, "removed": null},
                ],
                "packages": [{"name": "flask", "from": "3.0.0", "to": "3.1.0"}, {"name": "jinja2", "from": null, "to": "3"}],
                "versions": [], "config": {"added": ["KEY"], "changed": [], "removed": ["OLD"]},
                "processes": [{"type": "worker", "from": "python w.py", "to": null}], "slug": {"from": "a", "to": "b"},
            }),
        )
        .on("GET /apps/shop/releases/42/diff/42", json!({}));
    assert_snapshot!(env.run(&["releases:diff", "v41", "v42", "-a", "shop"]), @"
    Commits
      8f3a2c1d  Add the cart (Ada)
                and 3 more
    Files
      modified  app.py    +12 -3
      added     logo.png  +? -?
    Packages
      flask   3.0.0 => 3.1.0
      jinja2  new: 3
    Config vars
      added    KEY
      removed  OLD
    Process types
      worker  gone: python w.py
    ");
    assert_snapshot!(env.run(&["releases:diff", "v42", "v42", "-a", "shop"]), @"
    --- stderr
    v42 and v42 run the same.
    ");
}

#[test]
fn the_output_of_a_release_command_is_read_without_the_token() {
    let env = TestEnvironment::new();
    let url = format!("{}/streams/x", env.server.url());
    env.server
        .on("GET /apps/shop/releases/42", release(42, "succeeded", json!({"output_stream_url": url})))
        .answer("GET /streams/x", 200, &[], "migrating\ndone\n");
    assert_snapshot!(env.run(&["releases:output", "v42", "-a", "shop"]), @"
    migrating
    done
    ");
    assert!(!env.server.requests()[1].headers.contains_key("authorization"));
    assert!(env.server.requests()[0].headers.contains_key("authorization"));
}

#[test]
fn a_rollout_is_cancelled_if_there_is_one() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop/operations?state=active", json!([{"id": "op1", "state": "active"}]))
        .on("GET /apps/shop/operations?state=active", json!([]))
        .refuse(
            "POST /apps/shop/operations/op1/actions/cancel",
            202,
            json!({"state": "cancelled", "release": {"version": 42}}),
        );
    assert_snapshot!(env.run(&["releases:cancel", "-a", "shop"]), @"
    --- stderr
    Cancelled the rollout of v42 of shop.
    ");
    assert_snapshot!(env.run(&["releases:cancel", "-a", "shop"]), @"
    --- stderr
    Error: no rollout of shop is under way
      Hint: `paasctl releases -a shop` shows how the last one ended.
    --- exit Some(1)
    ");
}
