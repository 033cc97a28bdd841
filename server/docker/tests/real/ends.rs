//! How containers end, and what is told of it.

use model::exit::ExitCause;
use model::replica::{Phase, ReplicaSpec, Wish};

use crate::stage::{SERVER, Stage, config};

async fn once(stage: &mut Stage, command: &str) -> model::exit::Exit {
    let slug = stage.slug(&[("file", "content\n")]).await;
    let spec = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&slug, "job", command) };
    stage.desire(&[&spec]);
    stage.phase(&spec, Phase::Ended).await.last_exit.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_signals_and_want_of_memory_are_told_apart() {
    let Some(mut stage) = Stage::new().await else { return };
    let exit = once(&mut stage, "cat file; echo not enough >&2; exit 3").await;
    assert_eq!(exit.cause, ExitCause::Code(3));
    let mut lines = exit.last_lines.clone();
    lines.sort();
    assert_eq!(lines, ["content", "not enough"]);
    stage.logged("app[job.1]: content").await;
    assert_eq!(once(&mut stage, "kill -SEGV $$").await.cause, ExitCause::Signal(11));
    assert_eq!(once(&mut stage, "no-such-program").await.cause, ExitCause::Code(127));
    let hog = "exec python3 -c 'x = [bytearray(16 << 20) for _ in range(1000)]'";
    assert_eq!(once(&mut stage, hog).await.cause, ExitCause::OutOfMemory(512));
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_obeys_sigterm_ends_at_once_and_children_get_it_too() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let command = "(trap 'echo child ends; exit' TERM; while :; do sleep 0.1; done) & trap 'wait; exit 3' TERM; echo up; wait; wait";
    let worker = stage.spec(&slug, "worker", command);
    let deaf = "trap '' TERM; echo deaf; while :; do sleep 1; done";
    let deaf = ReplicaSpec { stop_seconds: 1, ..stage.spec(&slug, "deaf", deaf) };
    stage.desire(&[&worker, &deaf]);
    stage.logged("app[worker.1]: up").await;
    stage.logged("app[deaf.1]: deaf").await;
    let stop = |spec: ReplicaSpec| ReplicaSpec { wish: Wish::Stop, ..spec };
    let (worker, deaf) = (stop(worker), stop(deaf));
    stage.desire(&[&worker, &deaf]);
    let ended = stage.phase(&worker, Phase::Ended).await;
    assert_eq!(ended.last_exit.unwrap().cause, ExitCause::Code(3));
    stage.logged("app[worker.1]: child ends").await;
    let killed = stage.phase(&deaf, Phase::Ended).await;
    assert_eq!(killed.last_exit.unwrap().cause, ExitCause::Signal(9));
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_process_is_healthy_at_an_address_of_its_own() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "python3 server.py");
    stage.desire(&[&web]);
    let status = stage.phase(&web, Phase::Healthy).await;
    let address = status.address.unwrap();
    assert!(!address.ip().is_loopback(), "{address}");
    std::net::TcpStream::connect(address).unwrap();
    let bound = ReplicaSpec {
        config: config(&[("BIND", b"127.0.0.1")]),
        ..stage.spec(&slug, "web", "python3 server.py")
    };
    stage.desire(&[&bound]);
    let seen = |report: &model::replica::HostReport| {
        let probe = report.replicas.iter().find(|status| status.id == bound.id).and_then(|s| s.probe.clone());
        probe.is_some_and(|probe| format!("{probe:?}").contains("127.0.0.1:"))
    };
    stage.report("it is said where it listens instead", seen).await;
    stage.leave().await;
}
