//! How many replicas run: more and fewer without a failed request, none at all, and one that crashed.

use std::collections::BTreeSet;

use crate::platform::TestPlatform;
use crate::wait;

#[test]
fn web_scales_up_and_down_without_a_failed_request() {
    let platform = TestPlatform::start();
    let app = platform.app("elastic");
    app.greets("one").deploy();
    let crowd = app.crowd();
    app.paasctl(&["scale", "web=4"]);
    let seen = wait::until("four replicas to answer", || {
        let names: BTreeSet<String> = (0..40).map(|_| app.get("/me").body).collect();
        (names.len() == 4).then_some(names)
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["web.1", "web.2", "web.3", "web.4"]);
    app.paasctl(&["scale", "web-3"]);
    assert_eq!(app.json(&["ps"]).as_array().map(Vec::len), Some(1));
    crowd.assert_none_failed();
}

#[test]
fn workers_run_without_a_port_and_unknown_types_are_refused_with_a_hint() {
    let platform = TestPlatform::start();
    let app = platform.app("jobs");
    app.greets("one")
        .write("Procfile", "web: bin/web\nworker: echo working on ${PORT:-no port}; sleep 1000\n");
    app.commit("Work").deploy();
    app.paasctl(&["ps:scale", "worker=2"]);
    app.wait_for_log("app[worker.2]: working on no port");
    let refused = app.try_paasctl(&["scale", "worke=1"]);
    let text = crate::app::text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("did you mean `worker`"), "{text}");
}

#[test]
fn web_at_zero_says_so_to_a_visitor() {
    let platform = TestPlatform::start();
    let app = platform.app("closed");
    app.greets("one").deploy();
    app.paasctl(&["scale", "web=0"]);
    let closed = app.get("/");
    assert_eq!(closed.status, 503);
    assert!(closed.body.starts_with("This app is not running at the moment."), "{}", closed.body);
    app.wait_for_log("code=H14");
    app.paasctl(&["scale", "web=1"]);
    assert_eq!(app.get("/").status, 200);
}

#[test]
fn a_crashed_replica_comes_back_and_is_reported_once() {
    let platform = TestPlatform::start();
    let app = platform.app("phoenix");
    app.greets("one").write("Procfile", "web: bin/web\nworker: sleep 4; echo last words; exit 9\n");
    app.commit("Crash later").deploy();
    app.paasctl(&["ps:scale", "worker=1"]);
    app.wait_for_log("exited with status 9");
    wait::until("a restart", || {
        let ps = app.json(&["ps"]);
        ps.as_array()
            .unwrap()
            .iter()
            .any(|r| r["type"] == "worker" && r["restarts"].as_u64() >= Some(1))
            .then_some(())
    });
}
