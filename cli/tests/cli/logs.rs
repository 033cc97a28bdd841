//! Log lines: filtered by the server, printed as they are, and tailed through a broken connection.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

const LINES: &str = r#"{"position":"0,process-1:1:10,router:1:20"}
{"at":"2026-01-05T11:59:58.000001+00:00","source":"app","process":"web.1","release":7,"text":"Listening on 5042","position":"0,process-1:1:90,router:1:20"}

{"at":"2026-01-05T11:59:59.000001+00:00","source":"router","process":"router","release":null,"text":"at=info method=GET","position":"0,process-1:1:90,router:1:99"}
"#;

fn session(env: &TestEnvironment, name: &str) -> serde_json::Value {
    json!({"logplex_url": format!("{}/streams/{name}", env.server.url())})
}

#[test]
fn lines_come_as_they_are_and_filters_go_to_the_server() {
    let env = TestEnvironment::new();
    env.server.on("POST /apps/shop/log-sessions", session(&env, "one")).answer(
        "GET /streams/one",
        200,
        &[],
        LINES,
    );
    let filters = ["-n", "7", "--ps", "web.1", "--source", "app", "--since", "10m", "-a", "shop"];
    assert_snapshot!(env.run(&[&["logs"][..], &filters].concat()), @"
    2026-01-05T11:59:58.000001+00:00 app[web.1]: Listening on 5042
    2026-01-05T11:59:59.000001+00:00 router[router]: at=info method=GET
    ");
    let asked = env.server.requests();
    let body =
        json!({"lines": 7, "tail": false, "dyno": "web.1", "source": "app", "since": "2026-01-05T11:50:00Z"});
    assert_eq!(asked[0].body, body);
    assert_eq!(asked[1].headers["accept"], "application/x-ndjson");
    assert!(!asked[1].headers.contains_key("authorization"));
}

#[test]
fn json_is_an_object_a_line() {
    let env = TestEnvironment::new();
    env.server.on("POST /apps/shop/log-sessions", session(&env, "one")).answer(
        "GET /streams/one",
        200,
        &[],
        LINES,
    );
    assert_snapshot!(env.run(&["logs", "--json", "-a", "shop"]), @r#"
    {"at":"2026-01-05T11:59:58.000001+00:00","source":"app","process":"web.1","release":7,"text":"Listening on 5042"}
    {"at":"2026-01-05T11:59:59.000001+00:00","source":"router","process":"router","text":"at=info method=GET"}
    "#);
}

#[test]
fn a_tail_that_broke_off_goes_on_after_the_last_line() {
    let env = TestEnvironment::new();
    let torn = format!("{LINES}{}", r#"{"at":"2026-01-05T12:00:00.000000+00:00","sour"#);
    let more = r#"{"skipped":"12 lines skipped"}
{"at":"2026-01-05T12:00:00.000000+00:00","source":"app","process":"web.1","release":7,"text":"more","position":"0,process-1:2:5"}
"#;
    env.server
        .on("POST /apps/shop/log-sessions", session(&env, "one"))
        .on("POST /apps/shop/log-sessions", session(&env, "two"))
        .refuse("POST /apps/shop/log-sessions", 404, json!({"id": "not_found", "resource": "app"}))
        .on("GET /apps", json!([]))
        .answer("GET /streams/one", 200, &[], &torn)
        .answer("GET /streams/two", 200, &[], more);
    assert_snapshot!(env.run(&["logs", "--tail", "-a", "shop"]), @"
    2026-01-05T11:59:58.000001+00:00 app[web.1]: Listening on 5042
    2026-01-05T11:59:59.000001+00:00 router[router]: at=info method=GET
    (12 lines skipped)
    2026-01-05T12:00:00.000000+00:00 app[web.1]: more
    --- stderr
    The stream ended; taking it up again.
    The stream ended; taking it up again.
    Error: the app is gone: somebody destroyed or renamed it meanwhile
      Hint: `paasctl apps` lists all of them.
    --- exit Some(1)
    ");
    let asked = env.server.requests();
    assert!(!asked[1].headers.contains_key("last-event-id"));
    assert_eq!(asked[3].headers["last-event-id"], "0,process-1:1:90,router:1:99");
}

#[test]
fn an_empty_log_is_told() {
    let env = TestEnvironment::new();
    env.server.on("POST /apps/shop/log-sessions", session(&env, "one")).answer(
        "GET /streams/one",
        200,
        &[],
        "",
    );
    assert_snapshot!(env.run(&["logs", "--source", "router", "-a", "shop"]), @"
    --- stderr
    shop has no such log lines.
    ");
    assert_snapshot!(env.run(&["logs", "-n", "0", "-a", "shop"]), @"");
    assert_snapshot!(env.run(&["logs", "--source", "apps", "-a", "shop"]), @"
    --- stderr
    Error: invalid value 'apps' for '--source <SOURCE>'
        [possible values: app, router, platform]
      Hint: A similar value exists: 'app'. `paasctl logs --help` shows an example.
    --- exit Some(2)
    ");
}
