//! Operations as they are listed, shown and cancelled.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

const ID: &str = "0190a1b2-c3d4-7000-8000-000000000002";

fn operation(id: &str, state: &str, more: Value) -> Value {
    let mut operation = json!({
        "id": id, "kind": "deploy", "state": state, "phase": "rolling", "app": {"id": "a", "name": "shop"},
        "release": {"version": 42}, "user": {"email": "ada@example.com"}, "owner": "paas1/4711/0123456789abcdef",
        "created_at": "2026-01-05T11:59:48Z", "deadline": "2026-01-05T12:04:00Z", "finished_at": null,
        "reason": null, "step": "web.2 starting",
    });
    operation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    operation
}

fn all() -> Value {
    let ended = json!({"kind": "restart", "release": {"version": 41}, "finished_at": "2026-01-05T10:00:03Z",
        "created_at": "2026-01-05T10:00:00Z", "step": "v41 serves; the rollout took 3.1 s"});
    json!([operation(ID, "active", json!({})), operation("0190a1a0-0b1c-7000", "succeeded", ended)])
}

#[test]
fn without_an_app_those_of_all_apps_are_listed() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /operations?max=15", all())
        .on("GET /apps/shop/operations?max=3&state=active", json!([]))
        .on("GET /apps/new/operations?max=15", json!([]));
    assert_snapshot!(env.run(&["operations"]), @"
    OPERATION      WHAT              STATE                 AGE   LEFT   STEP
    0190a1b2-c3d4  shop deploy v42   active on paas1/4711  12 s  4 min  web.2 start…
    0190a1a0-0b1c  shop restart v41  succeeded             2 h          v41 serves;…
    ");
    assert_snapshot!(env.run(&["operations", "-a", "shop", "-n", "3", "--active"]), @"
    --- stderr
    Nothing is under way.
    ");
    assert_snapshot!(env.run(&["operations", "-a", "new"]), @"
    --- stderr
    Nothing was rolled out or restarted yet.
    ");
}

#[test]
fn one_is_found_by_the_beginning_of_its_id_and_shown_with_its_steps() {
    let env = TestEnvironment::new();
    let steps = json!({"steps": [{"at": "2026-01-05T11:59:50Z", "text": "web.1 starting"}]});
    env.server
        .on("GET /operations", all())
        .on(&format!("GET /apps/shop/operations/{ID}"), operation(ID, "active", steps));
    assert_snapshot!(env.run(&["operations:info", "0190a1b2"]), @"
    Operation  0190a1b2-c3d4-7000-8000-000000000002
    State      active
    App        shop
    What       deploy v42
    By         ada@example.com
    Server     paas1/4711
    Begun      2026-01-05 11:59:48 UTC (12 s ago)
    Time left  4 min

    10 s ago  web.1 starting
    ");
    assert_snapshot!(env.run(&["operations:info", "ffff"]), @"
    --- stderr
    Error: no operation `ffff`
      Hint: `paasctl operations` lists the newest; -a names another app.
    --- exit Some(1)
    ");
}

#[test]
fn one_is_cancelled_wherever_it_is() {
    let env = TestEnvironment::new();
    env.server.on("GET /operations", all()).refuse(
        &format!("POST /apps/shop/operations/{ID}/actions/cancel"),
        202,
        operation(ID, "cancelled", json!({"reason": "cancelled by ada@example.com"})),
    );
    assert_snapshot!(env.run(&["operations:cancel", "0190a1b2"]), @"
    --- stderr
    Cancelled deploy v42 of shop; what served before goes on serving.
    ");
}
