//! What an app did in the last hour, as tables and as JSON.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

#[test]
fn metrics_are_a_picture_and_two_small_tables() {
    let env = TestEnvironment::new();
    let minutes: Vec<_> = (0..60).map(|n| json!({"requests": if n < 40 { 0 } else { n }})).collect();
    let total = json!({"requests": 990, "2xx": 900, "3xx": 10, "4xx": 77, "5xx": 3, "p50_ms": 4.14, "p95_ms": 45.0, "p99_ms": 1234.5});
    let replicas = json!([
        {"name": "web.1", "cpu_percent": [null, 10.0, 20.0], "memory_bytes": [null, 51_200_000, 47_000_000],
         "requests": [0, 980, 10], "errors": [0, 3, 0], "missing_minutes": 1},
        {"name": "worker.1", "cpu_percent": [1.0, null, null], "memory_bytes": [20_000_000, null, null]},
    ]);
    env.server.on(
        "GET /apps/shop/metrics?minutes=60",
        json!({"total": total, "minutes": minutes, "replicas": replicas, "uncounted_minutes": 1}),
    );
    assert_snapshot!(env.run(&["metrics", "-a", "shop"]), @"
    Last 60 min ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▆▆▆▇▇▇▇▇▇▇▇█████████ up to 59 requests a minute

    REQUESTS  2XX  3XX  4XX  5XX  P50     P95    P99
    990       900  10   77   3    4.1 ms  45 ms  1.2 s

    REPLICA   CPU   MEAN  MEMORY   MOST     REQUESTS  5XX
    web.1     20 %  15 %  47.0 MB  51.2 MB  990       3
    worker.1        1 %            20.0 MB
    --- stderr
    A server was killed: of 1 minute requests may be missing.
    For 1 of the 60 min nobody measured web.1.
    ");
    let output = env.command(&["metrics", "-a", "shop", "--json"]).output().unwrap();
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["total"]["5xx"], 3);
}

#[test]
fn without_traffic_that_is_said_and_replicas_are_still_shown() {
    let env = TestEnvironment::new();
    let replicas = json!([{"name": "web.1", "cpu_percent": [0.0], "memory_bytes": [20_000_000]}]);
    env.server.on(
        "GET /apps/shop/metrics?minutes=5",
        json!({"total": {"requests": 0}, "minutes": [{"requests": 0}], "replicas": replicas}),
    );
    assert_snapshot!(env.run(&["metrics", "--minutes", "5", "-a", "shop"]), @"
    REPLICA  CPU  MEAN  MEMORY   MOST     REQUESTS  5XX
    web.1    0 %  0 %   20.0 MB  20.0 MB
    --- stderr
    No requests in the last 5 min.
    ");
    assert!(env.run(&["metrics", "--minutes", "1441", "-a", "shop"]).contains("1..=1440"));
}
