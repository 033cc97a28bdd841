//! How runs end, what is said about it, and what follows.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::time::{Duration, Instant};

use model::exit::ExitCause;
use model::replica::{Phase, ReplicaSpec, Wish};
use rustix::process::{Signal, kill_process};
use stage::{SERVER, Stage, config};

async fn with(command: &str) -> (Stage, ReplicaSpec) {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let spec = stage.spec(&slug, "worker", command);
    (stage, spec)
}

async fn once(command: &str) -> (Stage, ReplicaSpec) {
    let (stage, spec) = with(command).await;
    (stage, ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..spec })
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed_after_its_stop_time() {
    let (mut stage, web) = with("trap '' TERM; echo deaf; while :; do sleep 1; done").await;
    stage.desire(&[&web]);
    stage.logged("app[worker.1]: deaf").await;
    let asked = Instant::now();
    let stop = ReplicaSpec { wish: Wish::Stop, ..web };
    stage.desire(&[&stop]);
    let status = stage.phase(&stop, Phase::Ended).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Signal(9));
    assert!(asked.elapsed() >= Duration::from_secs(1) && asked.elapsed() < Duration::from_secs(3));
    stage.logged("platform[worker.1]: Error R12 (Exit timeout)").await;
    stage.leave(&[&stop]).await;
}

#[tokio::test]
async fn what_obeys_sigterm_ends_at_once_and_children_get_it_too() {
    let (mut stage, web) =
        with("(trap 'echo child ends; exit' TERM; while :; do sleep 0.1; done) & trap 'wait; exit 3' TERM; echo up; wait; wait").await;
    let web = ReplicaSpec { stop_seconds: 20, ..web };
    stage.desire(&[&web]);
    stage.logged("app[worker.1]: up").await;
    let stop = ReplicaSpec { wish: Wish::Stop, ..web };
    stage.desire(&[&stop]);
    let status = stage.phase(&stop, Phase::Ended).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Code(3));
    stage.logged("app[worker.1]: child ends").await;
    stage.leave(&[&stop]).await;
}

#[tokio::test]
async fn a_child_may_finish_though_the_script_that_started_it_goes_at_once() {
    let script = "#!/bin/sh\n(trap 'sleep 0.5; echo child is done; exit' TERM; echo up; while :; do sleep 0.1; done)\necho never\n";
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("start", script)]).await;
    let worker = ReplicaSpec { stop_seconds: 20, ..stage.spec(&slug, "worker", "./start; echo never") };
    stage.desire(&[&worker]);
    stage.logged("app[worker.1]: up").await;
    let stop = ReplicaSpec { wish: Wish::Stop, ..worker };
    stage.desire(&[&stop]);
    let status = stage.phase(&stop, Phase::Ended).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Signal(15));
    stage.leave(&[&stop]).await;
    stage.logged("app[worker.1]: child is done").await;
    assert!(!stage.log().iter().any(|line| line == "app[worker.1]: never"));
}

#[tokio::test]
async fn a_supervisor_that_hangs_is_killed_with_its_replica() {
    let (mut stage, worker) = with("sleep 1000").await;
    stage.desire(&[&worker]);
    stage.phase(&worker, Phase::Healthy).await;
    let processes = stage.processes_of(&worker);
    kill_process(processes[0], Signal::STOP).unwrap();
    let stop = ReplicaSpec { wish: Wish::Stop, ..worker };
    stage.desire(&[&stop]);
    let status = stage.phase(&stop, Phase::Ended).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Lost);
    stage::gone(&processes).await;
    stage.leave(&[&stop]).await;
}

#[tokio::test]
async fn what_runs_once_ends_with_its_code_and_its_last_lines() {
    let (mut stage, job) = once("for n in $(seq 30); do echo line $n; done; exit 42").await;
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert_eq!(exit.cause, ExitCause::Code(42));
    let expected: Vec<_> = (11..=30).map(|n| format!("line {n}")).collect();
    assert_eq!(exit.last_lines, expected);
    stage.logged("platform[worker.1]: Process exited with status 42").await;
    assert!(stage.log().contains(&"app[worker.1]: line 1".to_owned()));
    stage.leave(&[&job]).await;
}

#[tokio::test]
async fn what_runs_once_and_succeeds_is_not_run_again_by_a_new_agent() {
    let (mut stage, job) = once("echo ran; true").await;
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert!(exit.cause.is_success());
    stage.drop_agent();
    stage.start_agent().await;
    let status = stage.phase(&job, Phase::Ended).await;
    assert_eq!((status.last_exit, status.restarts), (Some(exit), 0));
    assert_eq!(stage.log().iter().filter(|line| line.ends_with(": ran")).count(), 1);
    stage.leave(&[&job]).await;
}

#[tokio::test]
async fn what_runs_once_is_ended_by_its_time_limit() {
    let (mut stage, job) = once("sleep 1000").await;
    let job = ReplicaSpec { wish: Wish::Once { seconds: 1 }, ..job };
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert_eq!(exit.cause, ExitCause::TimeLimit(1));
    stage.leave(&[&job]).await;
}

#[tokio::test]
async fn a_crash_is_reported_and_followed_by_a_fresh_start_after_a_pause() {
    let (mut stage, worker) = with("ls /app; touch /app/written; echo going down >&2; exit 7").await;
    stage.desire(&[&worker]);
    let status = stage.phase(&worker, Phase::Backoff).await;
    let exit = status.last_exit.unwrap();
    assert_eq!((exit.cause, status.restarts), (ExitCause::Code(7), 0));
    assert!(exit.last_lines.contains(&"going down".to_owned()));
    let line = stage.logged("Process exited with status 7").await;
    assert_eq!(
        line,
        "platform[worker.1]: Process exited with status 7; its last line was: going down; it is started again in 1 s"
    );
    let ended = Instant::now();
    stage.status(&worker, "it was started again", |status| status.restarts == 1).await;
    assert!(ended.elapsed() > Duration::from_millis(500));
    stage.logged("Process exited with status 7, 2 times in a row; it is started again in 2 s").await;
    assert!(!stage.log().contains(&"app[worker.1]: written".to_owned()), "what an earlier run wrote is gone");
    stage.leave(&[&worker]).await;
}

#[tokio::test]
async fn too_much_memory_is_called_so() {
    if !sandbox::CgroupSupport::detect().has(sandbox::Controller::Memory) {
        return;
    }
    let hog = "/usr/bin/python3 -c 'x = bytearray(900 << 20); print(len(x))'";
    let (mut stage, job) = once(hog).await;
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert_eq!(exit.cause, ExitCause::OutOfMemory(512));
    stage.logged("used more than its 512 MB of memory (files in /tmp count)").await;
    stage.leave(&[&job]).await;
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_replica_with_it_and_it_is_started_again() {
    let (mut stage, web) = with("echo up; sleep 1000").await;
    stage.desire(&[&web]);
    stage.phase(&web, Phase::Healthy).await;
    let before = stage.processes_of(&web);
    kill_process(before[0], Signal::KILL).unwrap();
    let status = stage.phase(&web, Phase::Backoff).await;
    assert_eq!(status.last_exit.unwrap().cause, ExitCause::Lost);
    stage.phase(&web, Phase::Healthy).await;
    stage::gone(&before).await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_slug_that_is_not_there_makes_a_start_impossible_in_words() {
    let (mut stage, web) = with("true").await;
    let web = ReplicaSpec { slug: "ab".repeat(32).parse().unwrap(), config: config(&[]), ..web };
    stage.desire(&[&web]);
    let exit = stage.phase(&web, Phase::Impossible).await.last_exit.unwrap();
    assert_eq!(exit.cause, ExitCause::NotStarted);
    assert_eq!(exit.last_lines, ["slug abababababab is not in the store"]);
    stage.logged("platform[worker.1]: Cannot start: slug abababababab is not in the store").await;
    stage.leave(&[&web]).await;
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_told_by_its_status() {
    let (mut stage, job) = once("no-such-command").await;
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert_eq!(exit.cause, ExitCause::Code(127));
    assert!(exit.last_lines[0].contains("no-such-command: command not found"), "{:?}", exit.last_lines);
    stage.leave(&[&job]).await;
}
