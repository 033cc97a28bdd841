//! A change of config whose rollout another release took over: followed if that one includes it, otherwise refused.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

/// Returns a place where v43 takes over from v42 and has these config vars.
fn taken_over(kind: &str, vars: Value) -> TestEnvironment {
    let env = TestEnvironment::new();
    let superseded =
        json!({"state": "superseded", "superseded_by": "op2", "release": {"version": 42}, "steps": []});
    let newer = json!({"kind": kind, "state": "succeeded", "release": {"version": 43}, "steps": []});
    env.server
        .on("GET /apps/shop/config-vars", json!({"A": "0"}))
        .answer(
            "PATCH /apps/shop/config-vars",
            200,
            &[("Paas-Operation", "op1"), ("Paas-Release", "42")],
            "{}",
        )
        .on("GET /apps/shop/operations/op1", superseded)
        .on("GET /apps/shop/operations/op2", newer)
        .on("GET /apps/shop/releases/43/config-vars", vars);
    env
}

#[test]
fn one_that_includes_the_change_is_followed() {
    let env = taken_over("config", json!({"A": "1", "RAW": {"base64": "/w=="}, "B": "2"}));
    std::fs::write(env.work().join("raw"), b"\xff").unwrap();
    assert_snapshot!(env.run(&["config:set", "A=1", "RAW=@raw", "-a", "shop"]), @"
    --- stderr
    Set A, RAW on shop: v42.
      v43, a change of config, took over and includes this change.
    Done in 0.0 s.
    ");
    let env = taken_over("deploy", json!({"B": "2"}));
    assert_snapshot!(env.run(&["config:unset", "A", "-a", "shop"]), @"
    --- stderr
    Removed A from shop: v42.
      v43, a deploy, took over and includes this change.
    Done in 0.0 s.
    ");
    assert!(env.server.asked().contains(&r#"PATCH /apps/shop/config-vars {"A":null}"#.to_owned()));
}

#[test]
fn a_rollback_that_does_not_include_the_change_is_told_and_is_a_failure() {
    let env = taken_over("rollback", json!({"A": "0"}));
    assert_snapshot!(env.run(&["config:set", "A=s3cret", "-a", "shop"]), @"
    --- stderr
    Set A on shop: v42.
    Error: v43, a rollback, took the place of v42 and does not include this change
      Hint: v42 never served. If the change is still wanted, run the command again; `paasctl releases -a shop` shows what happened.
    --- exit Some(1)
    ");
    let env = taken_over("rollback", json!({"A": "0"}));
    assert_snapshot!(env.run(&["config:unset", "A", "-a", "shop"]), @"
    --- stderr
    Removed A from shop: v42.
    Error: v43, a rollback, took the place of v42 and does not include this change
      Hint: v42 never served. If the change is still wanted, run the command again; `paasctl releases -a shop` shows what happened.
    --- exit Some(1)
    ");
}
