//! What crashes again and again costs no more than what crashed twice, and its pauses survive the agent.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use model::replica::{HostDesired, Phase, ReplicaSpec};
use model::slug::Digest;
use stage::Stage;

async fn crashes(stage: &Stage, spec: &ReplicaSpec, times: u32) {
    let what = format!("it ended {times} times");
    stage.status(spec, &what, |status| status.phase == Phase::Backoff && status.restarts + 1 == times).await;
}

fn ends_on_disk(stage: &Stage, spec: &ReplicaSpec) -> u64 {
    let text = fs::read(stage.replica_dir(spec.id).join("state.json")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&text).unwrap()["ends"].as_u64().unwrap()
}

fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        found.insert(path.to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        }
    }
    found
}

#[tokio::test]
async fn a_crash_loop_leaves_no_more_files_and_lines_with_each_crash_and_goes_on_after_a_restart() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "exit 7");
    stage.desire(&[&worker]);
    crashes(&stage, &worker, 2).await;
    stage.logged("Process exited with status 7, 2 times in a row").await;
    let (before, lines) = (files(&stage.agent_dir()), stage.log().len());

    crashes(&stage, &worker, 3).await;
    assert_eq!(ends_on_disk(&stage, &worker), 3);
    // Its pause is 4 s now; the next agent must know.
    stage.drop_agent();
    stage.start_agent().await;
    let status = stage.phase(&worker, Phase::Backoff).await;
    assert_eq!((status.restarts, ends_on_disk(&stage, &worker)), (2, 3), "it was not started anew");

    crashes(&stage, &worker, 4).await;
    assert_eq!(ends_on_disk(&stage, &worker), 4);
    assert_eq!(files(&stage.agent_dir()), before);
    assert_eq!(stage.log().len(), lines, "{:#?}", stage.log());
    stage.leave(&[&worker]).await;
}

#[tokio::test]
async fn a_slug_that_may_be_needed_again_stays_mounted_until_nobody_asks_for_it() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    stage.desire(&[&worker]);
    stage.phase(&worker, Phase::Healthy).await;
    if !is_mounted(&stage, &slug) {
        stage.leave(&[&worker]).await;
        return; // Slugs are unpacked here, so that nothing stays.
    }
    let ready = BTreeSet::from([slug.clone()]);
    let desired = HostDesired { term: 1, generation: 10, ready, ..HostDesired::default() };
    stage.agent().set_desired(desired.clone());
    stage.report("the replica is gone", |report| report.replicas.is_empty()).await;
    assert!(is_mounted(&stage, &slug));
    stage.drop_agent();
    stage.start_agent().await;
    assert!(is_mounted(&stage, &slug), "a new agent keeps it, too");
    stage.agent().set_desired(HostDesired { term: 1, generation: 11, ..HostDesired::default() });
    stage::wait("the slug is unmounted", || (!is_mounted(&stage, &slug)).then_some(())).await;
}

fn is_mounted(stage: &Stage, slug: &Digest) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let here = stage.agent_dir().join("slugs");
    let (here, digest) = (here.to_str().unwrap().to_owned(), slug.to_string());
    mounts.lines().any(|line| line.contains(&here) && line.contains(&digest[..12]))
}
