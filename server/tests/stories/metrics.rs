//! What visitors did is counted once, and is still known after the server was restarted.

use serde_json::Value;

use crate::platform::TestPlatform;
use crate::wait;

fn requests(metrics: &Value) -> Option<u64> {
    metrics["total"]["requests"].as_u64()
}

#[test]
fn requests_are_counted_once_and_survive_a_restart_of_the_server() {
    let mut platform = TestPlatform::start();
    platform.app("shop").greets("hello").deploy();
    let shop = platform.known_app("shop");
    let visits = 25;
    for _ in 0..visits {
        assert_eq!(shop.get("/").status, 200);
    }
    // The platform's own probes are no visitors.
    wait::until("a sample", || {
        let counted = requests(&shop.json(&["metrics"]))?;
        assert!(counted <= visits, "{counted}");
        (counted == visits).then_some(())
    });
    // Its agent looks at the machine every ten seconds, and a rate needs two looks.
    let host = wait::until("what the machine has in use", || {
        let (_, hosts) = platform.api("GET", "/hosts", &platform.token, None);
        hosts[0]["cpu_used"].is_number().then(|| hosts[0].clone())
    });
    let (used, total) = (host["memory_used_bytes"].as_u64(), host["memory_total_bytes"].as_u64());
    assert!(used > Some(0) && used < total, "{host}");
    platform.restart(true);
    let shop = platform.known_app("shop");
    let metrics = shop.json(&["metrics"]);
    assert_eq!(requests(&metrics), Some(visits), "{metrics}");
    assert_eq!(metrics["total"]["2xx"], visits);
    assert!(metrics["total"]["p99_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{metrics}");
    assert_eq!(shop.get("/").status, 200);
    wait::until("a sample of the next server", || {
        (requests(&shop.json(&["metrics"]))? == visits + 1).then_some(())
    });
    let (status, text) = platform.api("GET", "/metrics", &platform.token, None);
    let text = text.as_str().unwrap_or_default();
    let counted = "paas_requests_total{app=\"shop\",class=\"2xx\"} 1\n";
    assert!(status == 200 && text.contains(counted), "since this server started: {text}");
    for series in ["paas_host_up{host=", "paas_host_memory_used_bytes{host="] {
        assert!(text.contains(series), "{series}: {text}");
    }
    let name = host["name"].as_str().unwrap_or_default();
    assert!(text.contains(&format!(",host=\"{name}\"}} ")), "a replica is on its host: {text}");
    assert!(shop.paasctl(&["metrics"]).contains("requests a minute"));
}
