//! What becomes of replicas when the Docker Engine is ended, killed, and started again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use model::replica::{HostReport, Phase};

use crate::dockerd::Dockerd;
use crate::stage::{SERVER, Stage};

/// Says that it is up, and then a number ten times a second.
const COUNTER: &str = "n=0; while :; do n=$((n + 1)); echo count $n; sleep 0.1; done";

/// What `paasctl doctor` shows while the daemon is away.
const AWAY: &str = "Replicas cannot be started or stopped: the Docker Engine does not answer at";

fn is_away(report: &HostReport) -> bool {
    report.degraded.iter().any(|sentence| sentence.starts_with(AWAY))
}

fn answer(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the last number in the log.
fn counted(stage: &Stage) -> u32 {
    let log = stage.log();
    let numbers = log.iter().filter_map(|line| line.strip_prefix("app[worker.1]: count ")?.parse().ok());
    numbers.max().unwrap_or(0)
}

async fn counts_on(stage: &Stage) {
    let before = counted(stage);
    let more = || (counted(stage) > before + 5).then_some(());
    crate::stage::wait("the worker's lines to come", more, || stage.log().join("\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_live_restore_no_replica_notices_that_the_daemon_is_away() {
    let Some(mut dockerd) = Dockerd::start(true).await else { return };
    let mut stage = Stage::on(&dockerd).await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "exec python3 server.py");
    let worker = stage.spec(&slug, "worker", COUNTER);
    stage.desire(&[&web, &worker]);
    let address = stage.phase(&web, Phase::Healthy).await.address.unwrap();
    counts_on(&stage).await;
    let born = || {
        let format = "{{.State.Pid}} {{.State.StartedAt}}";
        stage.docker(&["inspect", "-f", format, &stage.container(&web), &stage.container(&worker)])
    };
    let before = born();
    for orderly in [true, false] {
        dockerd.end(orderly).await;
        stage.report("it is said that the daemon is away", is_away).await;
        assert!(answer(address).unwrap().ends_with("hello"), "it is served all the same");
        let report = stage.agent().reports().borrow().clone();
        assert!(report.replicas.iter().all(|status| status.phase == Phase::Healthy), "{report:#?}");
        dockerd.start_again().await;
        stage.report("it is not said any more", |report| !is_away(report)).await;
        counts_on(&stage).await;
    }
    assert_eq!(born(), before, "none was started again");
    let report = stage.agent().reports().borrow().clone();
    assert!(report.replicas.iter().all(|status| status.restarts == 0), "{report:#?}");
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_starts_while_the_daemon_is_away_finds_its_replicas_when_it_is_back() {
    let Some(mut dockerd) = Dockerd::start(true).await else { return };
    let mut stage = Stage::on(&dockerd).await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "exec python3 server.py");
    stage.desire(&[&web]);
    let address = stage.phase(&web, Phase::Healthy).await.address.unwrap();
    dockerd.end(true).await;
    stage.drop_agent();
    stage.start_agent().await;
    let status = stage.phase(&web, Phase::Healthy).await;
    assert_eq!((status.address, status.restarts), (Some(address), 0));
    let other = stage.spec(&slug, "other", "sleep 1000");
    stage.desire(&[&web, &other]);
    stage.report("it is said that the daemon is away", is_away).await;
    dockerd.start_again().await;
    stage.phase(&other, Phase::Healthy).await;
    assert_eq!(stage.phase(&web, Phase::Healthy).await.restarts, 0);
    assert!(answer(address).unwrap().ends_with("hello"));
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_live_restore_replicas_start_again_as_after_a_crash() {
    let Some(mut dockerd) = Dockerd::start(false).await else { return };
    let mut stage = Stage::on(&dockerd).await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "exec python3 server.py");
    stage.desire(&[&web]);
    stage.phase(&web, Phase::Healthy).await;
    for orderly in [true, false] {
        let before = stage.phase(&web, Phase::Healthy).await.restarts;
        dockerd.end(orderly).await;
        dockerd.start_again().await;
        // A start or two may have failed because the daemon was about to end.
        let again = |report: &HostReport| {
            let web = &report.replicas[0];
            web.phase == Phase::Healthy && web.restarts > before && !is_away(report)
        };
        let report = stage.report("it runs again", again).await;
        assert!(answer(report.replicas[0].address.unwrap()).unwrap().ends_with("hello"));
    }
    stage.leave().await;
}
