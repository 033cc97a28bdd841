//! Settings and buildpacks of an app: shown with what they decide, and changed as one or not at all.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn settings() -> Value {
    json!({
        "deploy_branch": null, "health": {"path": "/up", "boot_seconds": 60, "timeout_seconds": 5, "settle_ms": 1000},
        "rollout_seconds": 300, "release_command_seconds": 600, "drain_seconds": 30, "stop_seconds": 30,
        "build_seconds": null, "maintenance": false, "buildpacks": [], "watch_seconds": 60,
        "sticky_sessions": true, "connection_limit": null,
        "defaults": {"build_seconds": 900, "drain_seconds": 30, "buildpacks": [], "sticky_sessions": false},
        "processes": {"worker": {"drain_seconds": null, "stop_seconds": 600, "overlap": false}},
    })
}

#[test]
fn settings_are_listed_with_what_they_decide() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/settings", settings());
    assert_snapshot!(env.run(&["settings", "-a", "shop"]), @"
    SETTING                  VALUE                   DECIDES
    deploy-branch            main, master (default)  the branch whose push deploys
    health-path              /up                     what health checks ask for
    boot-seconds             60                      time until first healthy
    health-timeout-seconds   5                       time for one answer
    settle-ms                1000                    uptime that counts, if no port
    rollout-seconds          300                     time for a whole rollout
    release-command-seconds  600                     time for `release:`
    watch-seconds            60                      time a release is watched for
    drain-seconds            30 (default)            time for last requests
    stop-seconds             30                      time from SIGTERM to SIGKILL
    build-seconds            900 (default)           time for a build
    sticky-sessions          on                      visitors return to one replica
    connection-limit         unlimited (default)     requests in flight at a time
    buildpacks               detection (default)     used instead of detection
    worker.drain-seconds     30 (default)            time for last requests
    worker.stop-seconds      600                     time from SIGTERM to SIGKILL
    worker.overlap           off                     new ones start beside old ones
    ");
}

#[test]
fn several_are_changed_as_one_and_a_misspelt_one_is_refused_here() {
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop/settings", settings());
    assert_snapshot!(env.run(&["settings:set", "health-path=/up", "drain-seconds=", "-a", "shop"]), @"
    --- stderr
    shop: health-path is /up, drain-seconds is 30 (default).
    ");
    assert_eq!(
        env.server.asked(),
        [r#"PATCH /apps/shop/settings {"drain_seconds":null,"health":{"path":"/up"}}"#]
    );
    assert_snapshot!(env.run(&["settings:set", "helth-path=/up", "-a", "shop"]), @"
    --- stderr
    Error: there is no setting `helth-path`
      Hint: Did you mean `health-path`? `paasctl settings` lists all of them.
    --- exit Some(2)
    ");
}

#[test]
fn a_setting_of_a_process_type_that_is_not_there_is_taken_and_told() {
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop/settings", settings()).on(
        "GET /apps/shop/formation",
        json!([{"type": "web", "quantity": 1}, {"type": "worker", "quantity": 1}]),
    );
    assert_snapshot!(env.run(&["settings:set", "wroker.stop-seconds=600", "-a", "shop"]), @"
    --- stderr
    shop: wroker.stop-seconds is 30 (default).
    shop has no process type wroker so far; it has web, worker. Did you mean `worker`?
    ");
    let known = env.run(&["settings:set", "worker.stop-seconds=600", "-a", "shop"]);
    assert!(!known.contains("process type"), "{known}");
}

#[test]
fn buildpacks_are_set_shown_and_cleared() {
    let env = TestEnvironment::new();
    let set = json!({"buildpacks": ["static", "python"]});
    env.server.on("PATCH /apps/shop/settings", set.clone()).on("GET /apps/shop/settings", set);
    assert_snapshot!(env.run(&["buildpacks:set", "static", "python", "-a", "shop"]), @"
    --- stderr
    The next push to shop builds with static, then python.
    ");
    assert_snapshot!(env.run(&["buildpacks", "-a", "shop"]), @"
    static
    python
    ");
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop/settings", json!({"buildpacks": []}));
    assert_snapshot!(env.run(&["buildpacks:clear", "-a", "shop"]), @"
    --- stderr
    The next push to shop detects what fits.
    ");
}
