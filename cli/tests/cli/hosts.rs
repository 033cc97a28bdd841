//! Hosts: how they stand and how much room they have, draining one with its progress, and a drill.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn host(name: &str, state: &str, more: Value) -> Value {
    let mut host = json!({
        "id": format!("id-{name}"), "name": name, "zone": "a", "state": state, "reason": null, "embedded": false,
        "memory_bytes": 4u64 << 30, "memory_free_bytes": 3_758_096_384u64, "cpu_millicores": 2_000,
        "cpu_free_millicores": 1_900, "replicas": 1, "version": "0.1.0", "engine": "sandbox", "address": "10.0.0.7",
        "entry_port": 5002, "last_seen_at": "2026-01-05T11:59:58Z", "since": "2026-01-05T11:00:00Z",
    });
    host.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host
}

fn dyno(name: &str, phase: &str, restarts: u64) -> Value {
    json!({"id": format!("id-{name}"), "app": "shop", "name": name, "version": 41, "size": "Standard-1X",
           "once": false, "phase": phase, "restarts": restarts})
}

#[test]
fn hosts_are_shown_with_their_room_and_the_reason_why_one_is_not_ready() {
    let env = TestEnvironment::new();
    let silent = json!({"reason": "nothing was heard of it for 6 s; no new request goes there", "zone": "b"});
    let unbounded = json!({"memory_bytes": null, "cpu_millicores": null, "last_seen_at": null});
    let doubt = "2 of 3 hosts are not heard of at once: it is probably this server that is cut off";
    env.server
        .on(
            "GET /hosts",
            json!([
                host("app-1", "ready", json!({})),
                host("app-2", "silent", silent),
                host("here", "ready", unbounded)
            ]),
        )
        .on("GET /platform", json!({"doubt": doubt}));
    assert_snapshot!(env.run(&["hosts"]), @"
    HOST   ZONE  STATE   REPLICAS  FREE GB   FREE CORES  VERSION  SEEN
    app-1  a     ready   1         3.5 of 4  1.9 of 2    0.1.0    2.0 s ago
    app-2  b     silent  1         3.5 of 4  1.9 of 2    0.1.0    2.0 s ago
      nothing was heard of it for 6 s; no new request goes there
    here   a     ready   1         no bound  no bound    0.1.0
    --- stderr
    2 of 3 hosts are not heard of at once: it is probably this server that is cut off.
    ");
}

#[test]
fn instances_are_shown_with_what_they_are_doing_also_before_they_are_hosts() {
    let env = TestEnvironment::new();
    let instance = |doing: &str, lifecycle: &str| {
        json!({ "id": "i-1", "type": "t3.medium", "lifecycle": lifecycle, "doing": doing, "image": "ami-1", "reason": null,
                "since": "2026-01-05T11:59:00Z" })
    };
    let booting = json!({
        "instance": instance("booting", "on-demand"), "memory_bytes": null, "cpu_millicores": null, "last_seen_at": null,
        "replicas": 0, "version": null, "address": null,
    });
    let joined = json!({ "instance": instance("joined", "on-demand") });
    env.server
        .on("GET /hosts", json!([host("i-1", "ready", joined), host("i-2", "booting", booting.clone())]))
        .on("GET /hosts/i-2", host("i-2", "booting", booting))
        .on("GET /platform", json!({ "doubt": null }));
    assert_snapshot!(env.run(&["hosts"]), @"
    HOST  ZONE  STATE    REPLICAS  FREE GB   FREE CORES  VERSION  INSTANCE   SEEN
    i-1   a     ready    1         3.5 of 4  1.9 of 2    0.1.0    t3.medium  2.0 s ago
    i-2   a     booting  0                                        t3.medium
    ");
    let info = env.run(&["hosts:info", "i-2"]);
    assert!(info.contains("booting, t3.medium, on-demand") && info.contains("ami-1"), "{info}");
    assert!(!info.contains("no bound"), "nothing is known of its room: {info}");
}

#[test]
fn of_very_many_hosts_those_in_one_state_can_be_asked_for_and_all_are_counted() {
    let env = TestEnvironment::new();
    let state = |number| if number % 10 == 7 { "draining" } else { "ready" };
    let hosts: Vec<Value> =
        (10..35).map(|number| host(&format!("app-{number}"), state(number), json!({}))).collect();
    env.server.on("GET /hosts", json!(hosts)).on("GET /platform", json!({ "doubt": null }));
    assert!(env.run(&["hosts"]).trim_end().ends_with("25 hosts: 23 ready, 2 draining"));
    assert_snapshot!(env.run(&["hosts", "--state", "draining"]), @"
    HOST    ZONE  STATE     REPLICAS  FREE GB   FREE CORES  VERSION  SEEN
    app-17  a     draining  1         3.5 of 4  1.9 of 2    0.1.0    2.0 s ago
    app-27  a     draining  1         3.5 of 4  1.9 of 2    0.1.0    2.0 s ago
    ");
    assert_eq!(env.run(&["hosts", "--zone", "b"]).lines().count(), 1);
}

#[test]
fn one_host_is_shown_with_what_runs_there() {
    let env = TestEnvironment::new();
    let more = json!({"dynos": [dyno("web.1", "healthy", 0)], "degraded": ["no cgroup limits memory here"]});
    env.server.on("GET /hosts/app-1", host("app-1", "ready", more));
    assert_snapshot!(env.run(&["hosts:info", "app-1"]), @"
    Host    app-1
    Zone    a
    State   ready
    Memory  3.5 of 4 GB free
    CPU     1.9 of 2 cores free
    Runs    paasd 0.1.0, engine sandbox
    Entry   10.0.0.7:5002
    Seen    2026-01-05 11:59:58 UTC (2.0 s ago)

    APP   REPLICA  STATE    RELEASE  SIZE
    shop  web.1    healthy  v41      Standard-1X
    --- stderr
    Degraded: no cgroup limits memory here
    ");
}

#[test]
fn one_host_is_shown_with_what_its_machine_has_in_use() {
    let env = TestEnvironment::new();
    let in_use = json!({"cpu_used": 1.24, "cpu_total": 4.0, "memory_used_bytes": 3_400_000_000u64,
                        "memory_total_bytes": 8u64 << 30,
                        "last_hour": {"cpu_used": 0.5, "cpu_total": 4.0, "memory_used_bytes": 4u64 << 30,
                                      "memory_total_bytes": 8u64 << 30, "missing_minutes": 3}});
    env.server.on("GET /hosts/app-1", host("app-1", "ready", in_use));
    assert_snapshot!(env.run(&["hosts:info", "app-1"]), @"
    Host       app-1
    Zone       a
    State      ready
    Memory     3.5 of 4 GB free
    CPU        1.9 of 2 cores free
    In use     1.2 of 4 cores, 3.1 of 8 GB
    Last hour  0.5 of 4 cores, up to 4 of 8 GB, 3 min were not measured
    Runs       paasd 0.1.0, engine sandbox
    Entry      10.0.0.7:5002
    Seen       2026-01-05 11:59:58 UTC (2.0 s ago)
    ");
    let memory = json!({"cpu_used": null, "cpu_total": null, "memory_used_bytes": 1u64 << 30, "memory_total_bytes": 8u64 << 30});
    env.server.on("GET /hosts/app-2", host("app-2", "ready", memory));
    assert!(env.run(&["hosts:info", "app-2"]).contains("In use  1 of 8 GB\n"), "not measured twice yet");
}

#[test]
fn a_drain_tells_what_leaves_and_what_cannot() {
    let env = TestEnvironment::new();
    let waiting = json!([{"app": "shop", "name": "web.2", "reason": "no host has 512 MB of memory left for it, the most is 0 MB"}]);
    let both = json!({"replicas": 2, "dynos": [dyno("web.1", "healthy", 0), dyno("web.2", "healthy", 0)]});
    let one = json!({"replicas": 1, "dynos": [dyno("web.2", "healthy", 0)], "waiting": waiting});
    env.server
        .on("POST /hosts/app-1/actions/drain", host("app-1", "draining", both.clone()))
        .on("GET /hosts/app-1", host("app-1", "draining", both))
        .on("GET /hosts/app-1", host("app-1", "draining", one))
        .on("GET /hosts/app-1", host("app-1", "draining", json!({"replicas": 0, "dynos": []})));
    let shown = env.run(&["hosts:drain", "app-1"]);
    let steady: Vec<&str> = shown.lines().filter(|line| !line.contains("after ")).collect();
    assert_snapshot!(steady.join("\n"), @"
    --- stderr
    Draining app-1: 2 replicas to leave.
      shop web.1 has left
      shop web.2 waits: no host has 512 MB of memory left for it, the most is 0 MB
      shop web.2 has left
    `paasctl hosts:resume app-1` takes it back.
    ");
    assert!(shown.contains("Nothing runs on app-1 any more, after "), "{shown}");
}

#[test]
fn a_host_is_resumed_and_removed() {
    let env = TestEnvironment::new();
    env.server
        .on("POST /hosts/app-1/actions/resume", host("app-1", "ready", json!({})))
        .on("DELETE /hosts/app-1?force=true", host("app-1", "lost", json!({})));
    assert_snapshot!(env.run(&["hosts:resume", "app-1"]), @"
    --- stderr
    app-1 takes replicas again.
    ");
    assert_snapshot!(env.run(&["hosts:remove", "app-1", "--force"]), @"
    --- stderr
    app-1 is no host any more; its key opens nothing.
    ");
}

#[test]
fn a_drill_reports_when_all_are_back_and_how_many_requests_failed() {
    let env = TestEnvironment::new();
    let asked =
        |requests: u64, failed: u64| json!([{"name": "shop", "requests": requests, "failed": failed}]);
    let at = |phase: &str, restarts: u64, apps: Value| {
        host("app-1", "ready", json!({"dynos": [dyno("web.1", phase, restarts)], "apps": apps}))
    };
    env.server
        .on("POST /hosts/app-1/actions/drill", at("healthy", 0, asked(100, 2)))
        .on("GET /hosts/app-1", at("healthy", 0, asked(110, 2)))
        .on("GET /hosts/app-1", at("backoff", 0, asked(120, 5)))
        .on("GET /hosts/app-1", at("healthy", 1, asked(130, 5)));
    let shown = env.run(&["hosts:drill", "app-1"]);
    assert!(
        shown.contains("Killing 1 replica on app-1.") && shown.contains("shop web.1 is back after"),
        "{shown}"
    );
    assert!(shown.contains("Of 30 requests to their apps meanwhile, 3 failed."), "{shown}");
}

#[test]
fn a_size_is_changed_and_shown() {
    let env = TestEnvironment::new();
    let formation = |size: &str| json!([{"type": "web", "quantity": 1, "observed": 1, "size": size}]);
    env.server
        .on("GET /apps/shop/formation", formation("Standard-1X"))
        .on(
            "GET /apps/shop/dynos",
            json!([{"id": "old", "name": "web.1", "type": "web", "phase": "healthy"}]),
        )
        .on("PATCH /apps/shop/formation", formation("Standard-2X"));
    assert_snapshot!(env.run(&["ps:type", "web=standard-2x", "--no-wait", "-a", "shop"]), @"
    --- stderr
    Resizing web: Standard-1X => Standard-2X.
    `paasctl ps -a shop` shows how far it is.
    ");
    assert_eq!(
        env.server.requests().last().map(|request| request.body.clone()),
        Some(json!({"updates": [{"type": "web", "size": "Standard-2X"}]}))
    );
    assert_snapshot!(env.run(&["ps:type", "-a", "shop"]), @"
    TYPE  SIZE         MEMORY  QUANTITY
    web   Standard-1X  512 MB  1
    ");
}

#[test]
fn a_join_token_is_alone_on_stdout_with_what_to_do_beside_it() {
    let env = TestEnvironment::new();
    let made = json!({"id": "t", "name": "app-3", "zone": "b", "token": "paasj_secret_authority",
                      "server": "https://10.0.0.1:5001", "expires_at": "2026-01-05T12:15:00Z"});
    env.server.on("POST /hosts", made);
    assert_snapshot!(env.run(&["hosts:add", "--zone", "b", "--name", "app-3", "--ttl", "15m"]), @r"
    paasj_secret_authority
    --- stderr
    The token is for one machine, which becomes host app-3 in zone b, within 15 min.
    Copy it into a file join-token there, and run there as root:

      paasd agent --server https://10.0.0.1:5001 --join-token join-token \
        --data-dir /var/lib/paas-host

    `paasctl hosts` shows the host then.
    ");
    let body = json!({"zone": "b", "name": "app-3", "ttl_seconds": 900});
    assert_eq!(env.server.requests()[0].body, body);
}
