//! A replica that hangs is told of soon enough for requests to go to others, and as soon when it is back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use model::replica::{Phase, ReplicaSpec};
use rustix::process::{Signal, kill_process};
use stage::{SERVER, Stage};

const WEB: &str = "/usr/bin/python3 server.py";

fn signal(stage: &Stage, spec: &ReplicaSpec, signal: Signal) {
    for process in stage.processes_of(spec) {
        kill_process(process, signal).unwrap();
    }
}

#[tokio::test]
async fn one_of_two_that_hangs_is_silent_before_it_is_unhealthy_and_heard_again_when_it_answers() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let (one, two) = (stage.spec(&slug, "web", WEB), stage.spec(&slug, "web", WEB));
    stage.desire(&[&one, &two]);
    stage.phase(&one, Phase::Healthy).await;
    stage.phase(&two, Phase::Healthy).await;
    signal(&stage, &one, Signal::STOP);
    stage.agent().doubt(vec![one.id]);
    let status = stage.status(&one, "silent", |status| status.silent).await;
    assert_eq!(status.phase, Phase::Healthy);
    let other = stage.phase(&two, Phase::Healthy).await;
    assert!(!other.silent);
    signal(&stage, &one, Signal::CONT);
    let status = stage.status(&one, "heard again", |status| !status.silent).await;
    assert_eq!(status.phase, Phase::Healthy);
    let lines = stage.log();
    assert!(!lines.iter().any(|line| line.contains("unresponsive")), "{lines:#?}");
    stage.leave(&[&one, &two]).await;
}

#[tokio::test]
async fn the_only_one_that_hangs_is_unhealthy_after_two_probes_and_never_silent() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", WEB);
    let health = model::health::HealthCheck { timeout_seconds: 1, ..web.health.clone() };
    let web = ReplicaSpec { health, ..web };
    stage.desire(&[&web]);
    stage.phase(&web, Phase::Healthy).await;
    signal(&stage, &web, Signal::STOP);
    stage.agent().doubt(vec![web.id]);
    let status = stage.status(&web, "noticed", |status| status.silent || status.probe.is_some()).await;
    assert!(!status.silent);
    let status = stage.phase(&web, Phase::Unhealthy).await;
    assert!(!status.silent);
    signal(&stage, &web, Signal::CONT);
    stage.phase(&web, Phase::Healthy).await;
    stage.leave(&[&web]).await;
}
