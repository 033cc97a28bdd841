//! What is found again, and what is left alone.

use model::exit::ExitCause;
use model::replica::{Phase, ReplicaSpec, Wish};

use crate::stage::{SERVER, Stage, docker, wait};

#[tokio::test(flavor = "multi_thread")]
async fn replicas_outlive_the_agent_and_what_they_write_meanwhile_is_not_lost() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "python3 server.py");
    let script = "for n in $(seq 200); do echo count $n; sleep 0.02; done; sleep 1000";
    let worker = stage.spec(&slug, "worker", script);
    stage.desire(&[&web, &worker]);
    stage.phase(&web, Phase::Healthy).await;
    stage.logged("count 7").await;
    let started = docker(&["inspect", "-f", "{{.State.StartedAt}}", &stage.container(&web)]);
    for _ in 0..2 {
        stage.drop_agent();
        let name = stage.container(&worker);
        let before = docker(&["logs", "--tail", "1", &name]);
        wait(
            "the worker to write on",
            || (docker(&["logs", "--tail", "1", &name]) != before).then_some(()),
            String::new,
        )
        .await;
        stage.start_agent().await;
        stage.phase(&web, Phase::Healthy).await;
    }
    assert_eq!(docker(&["inspect", "-f", "{{.State.StartedAt}}", &stage.container(&web)]), started);
    stage.logged("count 200").await;
    let lines: Vec<_> =
        stage.log().into_iter().filter(|line| line.starts_with("app[worker.1]: count ")).collect();
    let expected: Vec<_> = (1..=200).map(|n| format!("app[worker.1]: count {n}")).collect();
    assert_eq!(lines, expected);
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_nobody_saw_is_known_afterwards_and_what_is_gone_is_no_error() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let job = |spec: ReplicaSpec| ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..spec };
    let seen = job(stage.spec(&slug, "job", "echo begun; sleep 1; echo done; exit 4"));
    let gone = stage.spec(&slug, "gone", "sleep 1000");
    stage.desire(&[&seen, &gone]);
    stage.logged("app[job.1]: begun").await;
    stage.phase(&gone, Phase::Healthy).await;
    stage.drop_agent();
    docker(&["rm", "-f", &stage.container(&gone)]);
    docker(&["wait", &stage.container(&seen)]);
    stage.start_agent().await;
    let status = stage.phase(&seen, Phase::Ended).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Code(4));
    stage.logged("app[job.1]: done").await;
    stage.phase(&gone, Phase::Healthy).await;
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_somebody_else_is_left_alone() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    // Even one with the very name that the replica's would have.
    let name = stage.container(&worker);
    docker(&["run", "-d", "--name", &name, docker::STACK, "sleep", "1000"]);
    stage.desire(&[&worker]);
    let refused = |report: &model::replica::HostReport| {
        report.replicas.iter().any(|status| status.id == worker.id && status.last_exit.is_some())
    };
    stage.report("the start is refused", refused).await;
    stage.leave().await;
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &name]), "true");
    docker(&["rm", "-f", &name]);
}
