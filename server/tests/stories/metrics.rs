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
    assert!(shop.paasctl(&["metrics"]).contains("requests a minute"));
}
