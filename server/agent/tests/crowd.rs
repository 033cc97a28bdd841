//! Many replicas at once, and agents that come and go while they start and stop.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::collections::BTreeSet;
use std::time::Duration;

use model::replica::{Phase, ReplicaSpec, Wish};
use stage::Stage;

#[tokio::test]
async fn many_replicas_start_and_stop_side_by_side() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let crowd: Vec<_> = (0..16).map(|_| stage.spec(&slug, "worker", "echo up; sleep 1000")).collect();
    let all: Vec<&ReplicaSpec> = crowd.iter().collect();
    stage.desire(&all);
    let healthy = |status: &model::replica::ReplicaStatus| status.phase == Phase::Healthy;
    stage
        .report("all are healthy", |report| report.replicas.iter().filter(|s| healthy(s)).count() == 16)
        .await;
    stage.leave(&all).await;
}

#[tokio::test]
async fn agents_that_end_at_any_moment_leave_no_orphan_and_no_twin() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let crowd: Vec<_> = (0..4).map(|_| stage.spec(&slug, "worker", "echo up; sleep 1000")).collect();
    for round in 0..8_usize {
        let here: Vec<_> =
            crowd.iter().enumerate().filter(|(n, _)| (n + round) % 3 != 0).map(|(_, s)| s).collect();
        stage.desire(&here);
        // Somewhere in the middle of what that begins.
        tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
        stage.drop_agent();
        stage.start_agent().await;
    }
    let all: Vec<&ReplicaSpec> = crowd.iter().collect();
    stage.desire(&all);
    let healthy = |status: &model::replica::ReplicaStatus| status.phase == Phase::Healthy;
    stage
        .report("all are healthy", |report| report.replicas.iter().filter(|s| healthy(s)).count() == 4)
        .await;
    let sleepers: Vec<_> = crowd.iter().flat_map(|spec| stage.processes_of(spec)).collect();
    let known: BTreeSet<_> = sleepers.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    let here = stage.processes_here();
    assert!(here.len() >= 2 * crowd.len(), "supervisors and programs would be noticed: {here:?}");
    let strangers: Vec<_> = here.difference(&known).collect();
    assert!(strangers.is_empty(), "orphans or twins: {strangers:?}");
    let stop: Vec<_> = crowd.iter().map(|spec| ReplicaSpec { wish: Wish::Stop, ..spec.clone() }).collect();
    stage.leave(&stop.iter().collect::<Vec<_>>()).await;
}
