//! What `paasctl doctor` says of an installation, link by link, and what it advises where one is broken.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

#[test]
fn a_healthy_installation_is_told_link_by_link() {
    let env = TestEnvironment::new();
    env.git(&["init", "-q"]);
    env.server
        .on("GET /health", json!({"status": "ok"}))
        .on("GET /account", json!({"email": "ada@example.com"}))
        .on(
            "GET /platform",
            json!({
                "version": "0.0.1", "stack": "debian-12", "engine": "sandbox", "mode": {"root": true},
                "degraded": ["memory limits are not enforced: there are no cgroups"],
                "disk": {"free_bytes": 12_000_000_000_u64, "total_bytes": 40_000_000_000_u64, "free_inodes": 900_000, "reserve_bytes": 1_000_000_000},
                "data_dir": "/srv/paas", "router_url": "http://127.0.0.1:8080", "apps": 1, "replicas": 3,
            }),
        );
    let shown = env.run(&["doctor"]);
    let shown: Vec<_> = shown.lines().filter(|line| !line.starts_with("ok    git ")).collect();
    let shown = shown.join("\n").replace(env!("CARGO_PKG_VERSION"), "OURS");
    assert_snapshot!(shown, @"
    ok    server    http://SERVER answers
    ok    token     of ada@example.com
    care  version   OURS here, 0.0.1 there
          Use the paasctl that came with the server.
    ok    engine    sandbox on debian-12
    care  engine    memory limits are not enforced: there are no cgroups
    ok    disk      12.0 GB of 40.0 GB free in /srv/paas
    ok    apps      1 app, 3 replicas behind http://127.0.0.1:8080
    care  remote    this repository has no remote `paas`
          `paasctl apps:create NAME` makes an app and adds it; `paasctl git:remote -a NAME` adds that of an app of yours.
    ");
}

#[test]
fn what_is_broken_is_told_with_what_to_do() {
    let env = TestEnvironment::new();
    env.server.on("GET /health", json!({"status": "ok"})).refuse(
        "GET /account",
        401,
        json!({"id": "unauthorized", "message": "the token is wrong"}),
    );
    let shown = env.run(&["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(shown.split("--- stderr").next().unwrap()).unwrap();
    assert_eq!(json[1]["check"], "token");
    assert_eq!(json[1]["state"], "fail");
    assert!(shown.ends_with("--- exit Some(1)"), "{shown}");
}

#[test]
fn certificates_are_told_with_their_end_and_bad_ones_with_their_file() {
    let env = TestEnvironment::new();
    let tls = json!({"listen": "127.0.0.1:8443", "dir": "/srv/paas/certs", "certificates": [
        {"name": "a.example.org", "expires_at": "2999-12-31T00:00:00Z", "problem": null},
        {"name": "b.example.org", "expires_at": "2001-12-31T00:00:00Z", "problem": null},
        {"name": "c.example.org", "expires_at": null, "problem": "privkey.pem is not there"},
    ]});
    env.server
        .on("GET /health", json!({"status": "ok"}))
        .on("GET /account", json!({"email": "ada@example.com"}))
        .on("GET /platform", json!({"tls": tls}));
    let shown = env.run(&["doctor"]);
    let at = shown.find("ok    tls").unwrap_or_else(|| panic!("{shown}"));
    let lines: Vec<_> = shown[at..].lines().take(6).collect();
    assert_snapshot!(lines.join("\n"), @"
    ok    tls       listens on 127.0.0.1:8443, 3 certificates in /srv/paas/certs
    ok    tls       a.example.org: until 2999-12-31
    FAIL  tls       b.example.org: until 2001-12-31, which is over
          Renew it; it is read again by itself.
    FAIL  tls       c.example.org: privkey.pem is not there
          Its visitors get the certificate of before, or none.
    ");
    assert!(shown.ends_with("--- exit Some(1)"), "{shown}");
}
