//! A web replica becomes healthy, or the report says in words why not.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use model::health::ProbeFailure;
use model::replica::Phase;
use stage::{SERVER, Stage, config};

const WEB: &str = "/usr/bin/python3 server.py";

#[tokio::test]
async fn a_web_replica_becomes_healthy_and_leaves_nothing_behind() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", WEB);
    stage.desire(&[&web]);
    let status = stage.phase(&web, Phase::Healthy).await;
    let address = status.address.unwrap();
    assert!(address.ip().is_loopback() && status.restarts == 0 && status.probe.is_none());
    stage.logged("app[web.1]: asked by paas-health for shop.localhost").await;
    stage.logged("platform[web.1]: State changed from starting to up").await;
    stage.leave(&[&web]).await;
    stage.logged("State changed from up to down").await;
}
