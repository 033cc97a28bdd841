//! `--json`: what the server answered, and nothing else on stdout, also for commands that change something.

use serde_json::{Value, json};

use crate::environment::TestEnvironment;

/// Runs it and returns what it printed as JSON.
fn printed(env: &TestEnvironment, arguments: &[&str]) -> Value {
    let output = env.command(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", env.shown(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {output:?}"))
}

#[test]
fn a_command_that_changes_something_prints_what_the_server_answered() {
    for (arguments, request) in [
        ("apps:rename store -a shop", "PATCH /apps/shop"),
        ("apps:destroy --confirm shop", "DELETE /apps/shop"),
        ("maintenance:on -a shop", "PATCH /apps/shop"),
        ("maintenance:off -a shop", "PATCH /apps/shop"),
        ("domains:remove a.example.com -a shop", "DELETE /apps/shop/domains/a.example.com"),
        ("access:add bob@example.com -a shop", "POST /apps/shop/collaborators"),
        ("access:remove bob@example.com -a shop", "DELETE /apps/shop/collaborators/bob%40example.com"),
        ("users:disable bob@example.com", "DELETE /users/bob%40example.com"),
        ("ps:restart --no-wait -a shop", "DELETE /apps/shop/dynos"),
        ("ps:stop run.1 -a shop", "POST /apps/shop/dynos/run.1/actions/stop"),
        ("git:remote -a shop", "GET /apps/shop"),
    ] {
        let env = TestEnvironment::new();
        let answer = json!({"name": "shop", "answer": arguments});
        env.server.on(request, answer.clone());
        if request != "GET /apps/shop" {
            env.server.on("GET /apps/shop", json!({}));
        }
        assert_eq!(printed(&env, &arguments.split(' ').collect::<Vec<_>>()), answer, "{arguments}");
    }
}

#[test]
fn a_change_of_config_prints_the_release_it_made_and_no_values() {
    let env = TestEnvironment::new();
    let release = json!({"version": 42, "state": "succeeded"});
    env.server
        .on("GET /apps/shop/config-vars", json!({"A": "s3cret"}))
        .answer("PATCH /apps/shop/config-vars", 200, &[("Paas-Release", "42")], r#"{"A": "s3cret"}"#)
        .on("GET /apps/shop/releases/42", release.clone());
    assert_eq!(printed(&env, &["config:set", "B=1", "-a", "shop"]), release);
    assert_eq!(printed(&env, &["config:unset", "A", "-a", "shop"]), release);
    assert_eq!(printed(&env, &["config:unset", "NOPE", "-a", "shop"]), Value::Null);
}
