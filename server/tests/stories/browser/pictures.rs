//! The pictures in the README, of a platform on which something happens. `scripts/pictures` makes them anew.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::chromium::{Chromium, Look};
use crate::load::Load;
use crate::platform::TestPlatform;

/// How long visitors come: a few samples of what is counted.
const TRAFFIC: Duration = Duration::from_secs(150);

/// Answers quickly, sometimes late, and now and then with an error.
const WEB: &str = r#"#!/usr/bin/python3
import http.server, os, random, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(random.expovariate(40))
        self.send_response(500 if random.random() < 0.005 else 200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[test]
#[ignore = "makes the README's pictures, which takes minutes"]
fn pictures_for_the_readme() {
    let platform = TestPlatform::start();
    for name in ["blog", "intranet"] {
        platform.app(name).greets("hello").deploy();
    }
    platform.app("newsletter");
    let relay = platform.app("relay");
    relay.greets("hello").deploy();
    relay
        .write("Procfile", "web: bin/web\nworker: echo 'no route to the queue'; exit 1\n")
        .commit("Send mail")
        .deploy();
    let shop = platform.app("shop");
    shop.write("bin/web", WEB).executable("bin/web").write("Procfile", "web: bin/web\nworker: sleep 1000\n");
    shop.commit("Open the shop").deploy();
    shop.paasctl(&["ps:scale", "web=3", "worker=1"]);
    let load = Load::start(platform.router, &shop.host(), "/", 40);
    let until = Instant::now() + TRAFFIC;
    shop.paasctl(&["config:set", "CURRENCY=EUR"]);
    shop.commit("Accept gift cards").deploy();
    relay.paasctl(&["ps:scale", "worker=1", "--no-wait"]);
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    for (path, name, look) in [
        ("/dashboard", "dashboard-apps.png", Look::DARK),
        ("/dashboard/apps/shop", "dashboard-app.png", Look::USUAL),
    ] {
        let browser = Chromium::of_admin(&platform, look);
        browser.open(path);
        browser.screenshot(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(name));
    }
    drop(load);
}
