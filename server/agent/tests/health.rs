//! A web replica becomes healthy, or the report says in words why not.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::net::TcpListener;

use model::health::{HealthCheck, ProbeFailure};
use model::replica::{Phase, ReplicaSpec, Wish};
use rustix::process::{Signal, kill_process};
use stage::{SERVER, Stage, config};

const WEB: &str = "/usr/bin/python3 server.py";

async fn with(vars: &[(&str, &str)]) -> (Stage, ReplicaSpec) {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let spec = ReplicaSpec { config: config(vars), ..stage.spec(&slug, "web", WEB) };
    stage.desire(&[&spec]);
    (stage, spec)
}

/// Waits until the report says this about a replica that is not healthy.
async fn said(stage: &Stage, spec: &ReplicaSpec, words: &str) {
    let fits = |failure: &ProbeFailure| failure.to_string().contains(words);
    let status = stage.status(spec, words, |status| status.probe.as_ref().is_some_and(fits)).await;
    assert_eq!(status.phase, Phase::Starting);
}

#[tokio::test]
async fn a_web_replica_becomes_healthy_and_leaves_nothing_behind() {
    let (mut stage, web) = with(&[]).await;
    let status = stage.phase(&web, Phase::Healthy).await;
    assert!(status.address.unwrap().ip().is_loopback() && status.restarts == 0 && status.probe.is_none());
    stage.logged("app[web.1]: asked by paas-health for shop.localhost").await;
    stage.logged("platform[web.1]: Starting process with command `/usr/bin/python3 server.py`").await;
    stage.logged("platform[web.1]: State changed from starting to up").await;
    stage.leave(&[&web]).await;
    stage.logged("platform[web.1]: State changed from up to down").await;
}

#[tokio::test]
async fn a_server_on_every_address_and_one_on_ipv6_only_are_found_where_they_answer() {
    for (bind, answers) in [("0.0.0.0", "127.0.0.1"), ("::1", "::1")] {
        let mut stage = Stage::new().await;
        let family = "import socket, http.server\nif ':' in __import__('os').environ['BIND']:\n    http.server.HTTPServer.address_family = socket.AF_INET6\n";
        let slug = stage.slug(&[("server.py", &format!("{family}{SERVER}"))]).await;
        let web = ReplicaSpec { config: config(&[("BIND", bind)]), ..stage.spec(&slug, "web", WEB) };
        stage.desire(&[&web]);
        let status = stage.phase(&web, Phase::Healthy).await;
        assert_eq!(status.address.unwrap().ip().to_string(), answers);
        stage.leave(&[&web]).await;
    }
}

#[tokio::test]
async fn a_process_that_never_listens_is_late_and_said_so_once() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let health = HealthCheck { boot_seconds: 1, ..HealthCheck::default() };
    let web = ReplicaSpec { health, ..stage.spec(&slug, "web", "sleep 1000") };
    stage.desire(&[&web]);
    let line = stage.logged("Error R10 (Boot timeout)").await;
    assert!(line.contains("it does not listen on $PORT 2"), "{line}");
    said(&stage, &web, "does not listen on $PORT 2").await;
    let lines = stage.log().iter().filter(|line| line.contains("R10")).count();
    assert_eq!(lines, 1);
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_wrong_port_is_named() {
    let (mut stage, web) = with(&[("WRONG_PORT", "18123")]).await;
    said(&stage, &web, "listens on 127.0.0.1:18123, not on $PORT 2").await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_server_error_is_shown_with_its_first_words() {
    let (mut stage, web) = with(&[("STATUS", "503")]).await;
    said(&stage, &web, "answers 503 on /: sorry [31m no database").await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn what_is_not_found_is_healthy_all_the_same() {
    let (mut stage, web) = with(&[("STATUS", "404")]).await;
    stage.phase(&web, Phase::Healthy).await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_slow_boot_is_waited_for() {
    let (mut stage, web) = with(&[("SLOW", "1.5")]).await;
    said(&stage, &web, "does not listen").await;
    stage.phase(&web, Phase::Healthy).await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn another_process_on_its_port_does_not_make_it_healthy() {
    let mut stage = Stage::with_ports(19_999..=19_999).await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "sleep 1000");
    stage.desire(&[&web]);
    stage.status(&web, "it has a port", |status| status.address.is_some()).await;
    let squatter = TcpListener::bind("127.0.0.1:19999").unwrap();
    std::thread::spawn(move || {
        for stream in squatter.incoming() {
            let _ = std::io::Write::write_all(
                &mut stream.unwrap(),
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            );
        }
    });
    // Each probe that it answers is told by the time of the look at the processes.
    let waited = std::time::Instant::now();
    let fits = |status: &model::replica::ReplicaStatus| {
        status.phase == Phase::Healthy || waited.elapsed() > std::time::Duration::from_secs(1)
    };
    let mut reports = stage.agent().reports();
    let _ = tokio::time::timeout(
        std::time::Duration::from_secs(2),
        reports.wait_for(|report| report.replicas.iter().all(fits)),
    )
    .await;
    stage.phase(&web, Phase::Starting).await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_server_that_stops_listening_is_unhealthy_within_two_probes_and_comes_back() {
    let server = r#"
import http.server, os, signal
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if os.path.exists("/tmp/ill") else 200)
        self.end_headers()
signal.signal(signal.SIGUSR1, lambda *_: open("/tmp/ill", "w").close())
signal.signal(signal.SIGUSR2, lambda *_: os.unlink("/tmp/ill"))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", server)]).await;
    let web = stage.spec(&slug, "web", WEB);
    stage.desire(&[&web]);
    stage.phase(&web, Phase::Healthy).await;
    let server = *stage.processes_of(&web).last().unwrap();
    kill_process(server, Signal::USR1).unwrap();
    stage.phase(&web, Phase::Unhealthy).await;
    stage.logged("State changed from up to unresponsive: it answers 500 on /").await;
    kill_process(server, Signal::USR2).unwrap();
    stage.phase(&web, Phase::Healthy).await;
    stage.logged("State changed from unresponsive to up").await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_worker_is_healthy_when_it_has_run_for_a_moment() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "echo port ${PORT-none}; sleep 1000");
    stage.desire(&[&worker]);
    let status = stage.phase(&worker, Phase::Healthy).await;
    assert_eq!(status.address, None);
    stage.logged("app[worker.1]: port none").await;
    let stop = ReplicaSpec { wish: Wish::Stop, ..worker.clone() };
    stage.desire(&[&stop]);
    stage.phase(&worker, Phase::Ended).await;
    stage.leave(&[&stop]).await;
}
