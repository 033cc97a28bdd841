//! An app's one log: what app, router and platform say, and how soon a tail shows it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::platform::{TestPlatform, binary};

#[test]
fn app_router_and_platform_share_one_stream_that_outlives_replicas() {
    let platform = TestPlatform::start();
    let app = platform.app("diary");
    app.greets("one").deploy();
    app.get("/hello?x=1");
    app.wait_for_log("path=\"/hello?x=1\"");
    let log = app.wait_for_log("app[web.1]: listening, greeting is one");
    assert!(log.starts_with("20"), "{log}");
    let router = app.paasctl(&["logs", "--source", "router"]);
    assert!(!router.is_empty() && router.lines().all(|line| line.contains("router")), "{router}");
    app.paasctl(&["scale", "web=0"]);
    let kept = app.paasctl(&["logs", "--ps", "web.1", "-n", "100"]);
    assert!(kept.contains("listening, greeting is one"), "{kept}");
    assert!(app.paasctl(&["logs", "-n", "1"]).lines().count() <= 1);
}

#[test]
fn a_tail_shows_a_line_soon_after_it_was_written() {
    let platform = TestPlatform::start();
    let app = platform.app("ticker");
    app.greets("one").deploy();
    let mut tail = platform
        .command(&binary("paasctl"), &app.dir)
        .args(["logs", "--tail", "-n", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let asker = std::thread::spawn({
        let (router, host) = (platform.router, app.host());
        move || {
            for n in 0..200 {
                let _ = crate::visitor::get(router, &host, &format!("/tail-{n}"));
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
    });
    let found = lines.map_while(Result::ok).take(500).any(|line| line.contains("/tail-"));
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(found);
    asker.join().unwrap();
}
