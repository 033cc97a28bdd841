//! Config vars: shown in full, changed as one release that is followed, and never repeated in an error.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

const SECRET: &str = "s3cret-value";

#[test]
fn values_are_shown_with_their_lines_aligned() {
    let env = TestEnvironment::new();
    env.server.on(
        "GET /apps/shop/config-vars",
        json!({"KEY": "-----BEGIN\nabc\n", "DATABASE_URL": "postgres://db"}),
    );
    assert_snapshot!(env.run(&["config", "-a", "shop"]), @"
    DATABASE_URL: postgres://db
    KEY:          -----BEGIN
                  abc
    ");
    assert_snapshot!(env.run(&["config", "--shell", "-a", "shop"]), @"
    DATABASE_URL=postgres://db
    KEY='-----BEGIN
    abc
    '
    ");
    assert_snapshot!(env.run(&["config:get", "DATABASE_URL", "-a", "shop"]), @"postgres://db");
    assert_snapshot!(env.run(&["config:get", "DATABASEURL", "-a", "shop"]), @"
    --- stderr
    Error: shop has no config var `DATABASEURL`
      Hint: Did you mean `DATABASE_URL`? `paasctl config -a shop` shows all of them.
    --- exit Some(1)
    ");
}

#[test]
fn several_vars_are_one_release_whose_rollout_is_followed() {
    let env = TestEnvironment::new();
    let operation = |state: &str, steps: &[&str]| {
        let steps: Vec<_> =
            steps.iter().map(|text| json!({"at": "2026-01-05T12:00:00Z", "text": text})).collect();
        json!({"id": "op1", "state": state, "release": {"version": 42}, "steps": steps})
    };
    env.server
        .answer(
            "PATCH /apps/shop/config-vars",
            200,
            &[("Paas-Operation", "op1"), ("Paas-Release", "42")],
            "{}",
        )
        .on("GET /apps/shop/operations/op1", operation("active", &["web.1 of v42 is starting"]))
        .refuse("GET /apps/shop/operations/op1", 503, json!({}))
        .on(
            "GET /apps/shop/operations/op1",
            operation("succeeded", &["web.1 of v42 is starting", "web.1 of v42 is healthy"]),
        );
    std::fs::write(env.work().join("pem"), "line 1\nline 2\n").unwrap();
    let shown = env.run_with_input(&["config:set", "A=1", "PEM=@pem", "IN=-", "-a", "shop"], "typed\n");
    assert_snapshot!(shown, @"
    --- stderr
    Set A, IN, PEM on shop: v42.
      web.1 of v42 is starting
      The server does not answer; trying again.
      web.1 of v42 is healthy
    Done in 0.0 s.
    ");
    let patch = env.server.requests().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    assert_eq!(patch.body, json!({"A": "1", "PEM": "line 1\nline 2\n", "IN": "typed\n"}));
}

#[test]
fn a_rollout_that_fails_says_why_and_what_serves() {
    let env = TestEnvironment::new();
    env.server
        .answer("PATCH /apps/shop/config-vars", 200, &[("Paas-Operation", "op1"), ("Paas-Release", "42")], "{}")
        .on(
            "GET /apps/shop/operations/op1",
            json!({"state": "failed", "release": {"version": 42}, "reason": "web.1 answers 500 on /", "steps": []}),
        );
    let value = format!("A={SECRET}");
    let shown = env.run(&["config:set", &value, "-a", "shop"]);
    assert!(!shown.contains(SECRET), "{shown}");
    assert_snapshot!(shown, @"
    --- stderr
    Set A on shop: v42.
    Error: v42 failed: web.1 answers 500 on /
      Hint: What served before goes on serving. `paasctl logs -a shop` shows what it said.
    --- exit Some(1)
    ");
}

#[test]
fn what_is_set_already_makes_no_release() {
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop/config-vars", json!({"A": "1"}));
    assert_snapshot!(env.run(&["config:set", "A=1", "-a", "shop"]), @"
    --- stderr
    Nothing changed: shop had it so already.
    ");
}

#[test]
fn no_wrong_usage_repeats_a_value_and_nothing_is_sent() {
    let env = TestEnvironment::new();
    let secret = |text: &str| text.replace('%', SECRET);
    for wrong in ["%", "1A=%", "A B=%", "RANDOM=%", "PORT=%"] {
        let shown = env.run(&["config:set", &secret(wrong), "-a", "shop"]);
        assert!(shown.contains("Error:") && !shown.contains(SECRET), "{shown}");
    }
    let shown = env.run(&["config:unset", &secret("A=%"), "-a", "shop"]);
    assert!(!shown.contains(SECRET), "{shown}");
    assert_eq!(env.server.asked(), [""; 0]);
    assert_snapshot!(env.run(&["config:set", "A", "-a", "shop"]), @"
    --- stderr
    Error: argument 1 has no `=`
      Hint: Write KEY=value, KEY=@file for the content of a file, KEY=@- for stdin, or KEY=@@text for a value that begins with @.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["config:set", "-a", "shop"]), @"
    --- stderr
    Error: the following required arguments were not provided:
        <KEY=VALUE>...
      Hint: `paasctl config:set --help` shows an example.
    --- exit Some(2)
    ");
}

#[test]
fn what_is_not_set_is_not_removed_and_said() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/config-vars", json!({"GREETING": "hello", "B": "1"})).answer(
        "PATCH /apps/shop/config-vars",
        200,
        &[("Paas-Release", "42")],
        "{}",
    );
    assert_snapshot!(env.run(&["config:unset", "GREETIN", "NOPE", "-a", "shop"]), @"
    --- stderr
    GREETIN was not set on shop. Did you mean `GREETING`?
    NOPE was not set on shop.
    Nothing changed.
    ");
    assert_eq!(env.server.asked(), ["GET /apps/shop/config-vars"], "nothing was asked to change");
    assert_snapshot!(env.run(&["config:unset", "NOPE", "B", "-a", "shop"]), @"
    --- stderr
    NOPE was not set on shop.
    Removed B from shop: v42.
    ");
    assert_eq!(env.server.asked()[2], r#"PATCH /apps/shop/config-vars {"B":null}"#);
}
