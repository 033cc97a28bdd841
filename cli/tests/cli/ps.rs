//! Replicas: why one is not up, and scaling, restarts and one-off processes, followed or only asked for.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn dyno(name: &str, phase: &str, more: Value) -> Value {
    let mut dyno = json!({
        "id": format!("id-{name}"), "name": name, "type": name.split('.').next(), "phase": phase, "state": "up",
        "number": name.split('.').nth(1).and_then(|n| n.parse::<u64>().ok()), "host": "here",
        "release": {"id": "r", "version": 41}, "restarts": 0, "since": "2026-01-05T11:55:00Z",
    });
    dyno.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    dyno
}

fn formation(web: u64, observed: u64) -> Value {
    json!([{"type": "web", "quantity": web, "observed": observed, "size": "Standard-1X", "command": "bin/web"}])
}

#[test]
fn each_replica_is_shown_with_the_reason_why_it_is_not_up() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/formation", formation(2, 1)).on(
        "GET /apps/shop/dynos",
        json!([
            dyno("web.10", "backoff", json!({"reason": "exited with status 1", "restarts": 3})),
            dyno("web.2", "healthy", json!({"memory_bytes": 47_000_000})),
        ]),
    );
    assert_snapshot!(env.run(&["ps", "-a", "shop"]), @"
    web: 1 of 2 healthy, Standard-1X, `bin/web`

    NAME    STATE    FOR    RELEASE  HOST  MEMORY   RESTARTS
    web.2   healthy  5 min  v41      here  47.0 MB  0
    web.10  backoff  5 min  v41      here           3
      exited with status 1
    ");
    let json: Value = serde_json::from_str(&env.run(&["ps", "-a", "shop", "--json"])).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
}

#[test]
fn where_nothing_runs_it_says_what_to_do() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop/formation", json!([]))
        .on("GET /apps/shop/formation", formation(0, 0))
        .on("GET /apps/shop/dynos", json!([]));
    assert_snapshot!(env.run(&["ps", "-a", "shop"]), @"
    --- stderr
    shop has no release yet. `git push paas main` deploys one.
    ");
    assert_snapshot!(env.run(&["ps", "-a", "shop"]), @"
    web: 0 of 0 healthy, Standard-1X, `bin/web`
    --- stderr
    Nothing runs. `paasctl ps:scale web=1 -a shop` starts a replica.
    ");
}

#[test]
fn scaling_does_not_wait_for_what_no_release_has() {
    let env = TestEnvironment::new();
    let unserved =
        json!([{"type": "cron", "quantity": 1, "observed": 0, "size": "Standard-1X", "command": ""}]);
    env.server.on("GET /apps/shop/formation", json!([])).on("PATCH /apps/shop/formation", unserved);
    assert_snapshot!(env.run(&["scale", "cron=1", "-a", "shop"]), @"
    --- stderr
    Scaling cron: 0 => 1.
    No release that serves has cron: it starts with the next one that does.
    ");
}

#[test]
fn scaling_tells_each_step_until_it_is_observed() {
    let env = TestEnvironment::new();
    let one = dyno("web.1", "healthy", json!({}));
    env.server
        .on("GET /apps/shop/formation", formation(1, 1))
        .on("GET /apps/shop/formation", formation(2, 1))
        .on("GET /apps/shop/formation", formation(2, 2))
        .on("PATCH /apps/shop/formation", formation(2, 1))
        .on("GET /apps/shop/dynos", json!([one, dyno("web.2", "starting", json!({}))]))
        .on("GET /apps/shop/dynos", json!([one, dyno("web.2", "healthy", json!({}))]));
    assert_snapshot!(env.run(&["scale", "web+1", "-a", "shop"]), @"
    --- stderr
    Scaling web: 1 => 2.
      web.2  starting on here
      web.2  healthy
    Done in 0.0 s.
    ");
    let patch = env.server.requests().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    assert_eq!(patch.body, json!({"updates": [{"type": "web", "quantity": "+1"}]}));
    assert_snapshot!(env.run(&["scale", "-a", "shop"]), @"web=2:Standard-1X");
}

#[test]
fn a_replica_that_cannot_start_ends_the_wait() {
    let env = TestEnvironment::new();
    let broken = dyno("web.1", "impossible", json!({"reason": "the slug is damaged"}));
    env.server
        .on("GET /apps/shop/formation", formation(1, 0))
        .on("PATCH /apps/shop/formation", formation(1, 0))
        .on("GET /apps/shop/dynos", json!([broken]));
    assert_snapshot!(env.run(&["scale", "web=1", "-a", "shop"]), @"
    --- stderr
    Scaling web: 1 => 1.
      web.1  impossible: the slug is damaged
    Error: web.1 cannot be started: the slug is damaged
      Hint: `paasctl logs -a shop --source platform` shows more.
    --- exit Some(1)
    ");
}

#[test]
fn of_a_replica_that_crashes_again_it_says_how_to_leave_and_where_to_look_once() {
    let env = TestEnvironment::new();
    let crashed = |restarts: u64| {
        dyno("web.1", "backoff", json!({"reason": "exited with status 1", "restarts": restarts}))
    };
    let starting = dyno("web.1", "starting", json!({"restarts": 1}));
    env.server
        .on("GET /apps/shop/formation", formation(1, 0))
        .on("PATCH /apps/shop/formation", formation(1, 0))
        .on("GET /apps/shop/dynos", json!([crashed(0)]))
        .on("GET /apps/shop/dynos", json!([crashed(0)]))
        .on("GET /apps/shop/dynos", json!([starting]))
        .on("GET /apps/shop/dynos", json!([crashed(1)]))
        .on("GET /apps/shop/dynos", json!([crashed(2)]))
        .on(
            "GET /apps/shop/dynos",
            json!([dyno("web.1", "impossible", json!({"reason": "it was taken away"}))]),
        );
    assert_snapshot!(env.run(&["scale", "web=1", "-a", "shop"]), @"
    --- stderr
    Scaling web: 1 => 1.
      web.1  backoff: exited with status 1
      web.1  starting on here
      web.1  backoff: exited with status 1
      Ctrl-C leaves; `paasctl logs -a shop --ps web.1` shows why.
      web.1  impossible: it was taken away
    Error: web.1 cannot be started: it was taken away
      Hint: `paasctl logs -a shop --source platform` shows more.
    --- exit Some(1)
    ");
}

#[test]
fn no_wait_only_asks() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop/formation", formation(1, 1))
        .on("PATCH /apps/shop/formation", formation(4, 1));
    assert_snapshot!(env.run(&["scale", "web=4:performance-m", "--no-wait", "-a", "shop"]), @"
    --- stderr
    Scaling web: 1 => 4.
    `paasctl ps -a shop` shows how far it is.
    ");
    assert_eq!(
        env.server.asked()[2],
        r#"PATCH /apps/shop/formation {"updates":[{"quantity":"4","size":"Performance-M","type":"web"}]}"#
    );
}

#[test]
fn one_replica_is_restarted_when_another_is_healthy_in_its_place() {
    let env = TestEnvironment::new();
    let fresh = |phase: &str| dyno("web.1", phase, json!({"id": "new"}));
    env.server
        .on("GET /apps/shop/formation", formation(1, 1))
        .on("GET /apps/shop/dynos", json!([dyno("web.1", "healthy", json!({}))]))
        .on("DELETE /apps/shop/dynos/web.1", json!({"operation": null}))
        .on("GET /apps/shop/dynos", json!([dyno("web.1", "stopping", json!({})), fresh("starting")]))
        .on("GET /apps/shop/dynos", json!([fresh("healthy")]));
    assert_snapshot!(env.run(&["restart", "web.1", "-a", "shop"]), @"
    --- stderr
    Restarting web.1 of shop.
      web.1  stopping
      web.1  starting on here
      web.1  gone
      web.1  healthy
    Done in 0.0 s.
    ");
}

#[test]
fn all_are_restarted_by_an_operation() {
    let env = TestEnvironment::new();
    let steps = json!([{"at": "2026-01-05T12:00:00Z", "text": "web.1 is healthy"}]);
    env.server
        .on("DELETE /apps/shop/dynos", json!({"operation": "op1"}))
        .on("GET /apps/shop/operations/op1", json!({"state": "succeeded", "steps": steps}));
    assert_snapshot!(env.run(&["ps:restart", "-a", "shop"]), @"
    --- stderr
    Restarting shop.
      web.1 is healthy
    Done in 0.0 s.
    ");
}

#[test]
fn ctrl_c_leaves_the_work_going_and_says_so() {
    let env = TestEnvironment::new();
    env.server
        .on("DELETE /apps/shop/dynos", json!({"operation": "op1"}))
        .on("GET /apps/shop/operations/op1", json!({"state": "active", "steps": []}));
    let mut command = env.command(&["ps:restart", "-a", "shop"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while env.server.requests().len() < 3 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_snapshot!(env.shown(&child.wait_with_output().unwrap()), @"
    --- stderr
    Restarting shop.

    Still going on; `paasctl ps -a shop` shows how far it is.
    --- exit Some(130)
    ");
}

#[test]
fn one_off_processes_run_detached() {
    let env = TestEnvironment::new();
    env.server
        .on("POST /apps/shop/dynos", dyno("run.1234", "starting", json!({})))
        .on("POST /apps/shop/dynos/run.1234/actions/stop", json!({}));
    assert_snapshot!(env.run(&["run:detached", "-a", "shop", "python", "manage.py", "say", "a b"]), @"
    run.1234
    --- stderr
    Running `python manage.py say 'a b'` on shop.
    `paasctl logs -a shop --ps run.1234 --tail` shows what it writes.
    ");
    assert_eq!(env.server.requests()[0].body["command"], "python manage.py say 'a b'");
    assert_snapshot!(env.run(&["run", "-a", "shop", "bash"]), @"
    --- stderr
    Error: attached `run` is not available yet
      Hint: `paasctl run:detached -a shop --tail -- bash` runs it and shows what it writes.
    --- exit Some(1)
    ");
    assert_snapshot!(env.run(&["ps:stop", "run.1234", "-a", "shop"]), @"
    --- stderr
    Stopping run.1234 of shop.
    ");
}

#[test]
fn an_app_that_is_named_behind_the_command_is_not_missed_silently() {
    let env = TestEnvironment::new();
    assert_snapshot!(env.run(&["run:detached", "python", "manage.py", "migrate", "-a", "shop"]), @"
    --- stderr
    Error: no app is named
      Hint: Options go before the command, what follows it is its own: `paasctl run:detached -a shop -- python manage.py migrate`.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["run", "bash", "--app=shop"]), @"
    --- stderr
    Error: no app is named
      Hint: Options go before the command, what follows it is its own: `paasctl run -a shop -- bash`.
    --- exit Some(2)
    ");
}

#[test]
fn an_app_that_goes_while_its_scale_is_watched_is_gone() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop/formation", formation(1, 1))
        .on("GET /apps/shop/formation", formation(2, 1))
        .refuse("GET /apps/shop/formation", 404, json!({"id": "not_found", "resource": "app"}))
        .on("PATCH /apps/shop/formation", formation(2, 1))
        .on("GET /apps/shop/dynos", json!([dyno("web.1", "healthy", json!({}))]));
    assert_snapshot!(env.run(&["scale", "web=2", "-a", "shop"]), @"
    --- stderr
    Scaling web: 1 => 2.
    Error: the app is gone: somebody destroyed or renamed it meanwhile
      Hint: `paasctl apps` lists all of them.
    --- exit Some(1)
    ");
}
