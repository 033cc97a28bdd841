//! Replicas outlive their agent, and the next one takes them over.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use model::exit::ExitCause;
use model::replica::{HostDesired, Phase, ReplicaSpec, Wish};
use rustix::process::{Signal, kill_process};
use stage::{SERVER, Stage};

#[tokio::test]
async fn a_new_agent_adopts_what_runs_with_the_same_processes_and_logs() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "/usr/bin/python3 server.py");
    let worker = stage.spec(&slug, "worker", "while :; do echo tick; sleep 0.1; done");
    stage.desire(&[&web, &worker]);
    let before = stage.phase(&web, Phase::Healthy).await;
    stage.phase(&worker, Phase::Healthy).await;
    let processes = (stage.processes_of(&web), stage.supervisor_of(&worker));

    stage.drop_agent();
    let lines = stage.log().len();
    stage::wait("the log goes on without an agent", || (stage.log().len() > lines + 2).then_some(())).await;
    stage.start_agent().await;

    // At once, without another probe: a restart takes nobody out of rotation.
    let first = stage.agent().reports().borrow().clone();
    let status = first.replicas.iter().find(|status| status.id == web.id).unwrap();
    assert_eq!((status.phase, status.address, status.restarts), (Phase::Healthy, before.address, 0));
    assert_eq!((stage.processes_of(&web), stage.supervisor_of(&worker)), processes);
    let lines = stage.log().len();
    stage::wait("the log goes on", || (stage.log().len() > lines + 2).then_some(())).await;
    assert_eq!(stage.log().iter().filter(|line| line.contains("Starting process")).count(), 2);
    stage.leave(&[&web, &worker]).await;
}

#[tokio::test]
async fn an_end_between_two_agents_is_noted_by_the_second() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "trap 'exit 5' USR1; echo up; while :; do sleep 0.1; done");
    stage.desire(&[&worker]);
    stage.logged("app[worker.1]: up").await;
    stage.phase(&worker, Phase::Healthy).await;
    stage.shut_down_agent().await;
    let processes = stage.processes_of(&worker);
    let init = sandbox::init_of(processes[1]).unwrap();
    sandbox::signal_all(init, Signal::USR1);
    stage::wait("the replica ends", || (!stage::is_alive(processes[0])).then_some(())).await;
    stage.start_agent().await;
    let status = stage.status(&worker, "its end is known", |status| status.last_exit.is_some()).await;
    assert!(matches!(status.last_exit.unwrap().cause, ExitCause::Code(5) | ExitCause::Signal(_)));
    stage
        .status(&worker, "it runs again", |status| status.phase == Phase::Healthy && status.restarts == 1)
        .await;
    stage.leave(&[&worker]).await;
}

#[tokio::test]
async fn what_a_crash_of_everything_left_is_cleaned_and_started_again() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    let other = stage.spec(&slug, "other", "sleep 1000");
    stage.desire(&[&worker, &other]);
    stage.phase(&worker, Phase::Healthy).await;
    stage.phase(&other, Phase::Healthy).await;
    stage.drop_agent();
    for spec in [&worker, &other] {
        kill_process(stage.supervisor_of(spec), Signal::KILL).unwrap();
    }
    stage.start_agent().await;
    stage.desire(&[&worker]);
    stage
        .status(&worker, "it runs again", |status| status.phase == Phase::Healthy && status.restarts == 1)
        .await;
    stage.report("the other is gone", |report| report.replicas.len() == 1).await;
    assert!(!stage.replica_dir(other.id).exists());
    stage.leave(&[&worker]).await;
}

#[tokio::test]
async fn older_wishes_are_refused_also_by_the_next_agent() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    stage.desire(&[]);
    stage.desire(&[&worker]);
    stage.phase(&worker, Phase::Healthy).await;
    stage.drop_agent();
    stage.start_agent().await;
    for (term, generation) in [(1, 1), (0, u64::MAX)] {
        stage.agent().set_desired(HostDesired { term, generation, ..HostDesired::default() });
    }
    let late = ReplicaSpec { wish: Wish::Run, ..stage.spec(&slug, "late", "sleep 1000") };
    stage.desire(&[&worker, &late]);
    stage.phase(&late, Phase::Healthy).await;
    let status = stage.phase(&worker, Phase::Healthy).await;
    assert_eq!(status.restarts, 0, "it was never stopped");
    stage.leave(&[&worker, &late]).await;
}

#[tokio::test]
async fn a_second_agent_in_the_same_directory_is_refused() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    stage.desire(&[&worker]);
    stage.phase(&worker, Phase::Healthy).await;
    let lock = std::fs::File::open(stage.agent_dir().join("lock")).unwrap();
    let taken = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    assert!(taken.is_err());
    stage.leave(&[&worker]).await;
}
