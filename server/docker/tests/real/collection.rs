//! What is left in the daemon and nobody needs.

use std::collections::BTreeSet;
use std::process::Command;

use agent::Engine as _;
use jiff::{SignedDuration, Timestamp};
use model::id::{AppId, ReplicaId};
use model::keep::{HostUse, Purpose};
use model::replica::Phase;

use crate::stage::{Stage, docker};

/// Makes an image as `paasd stack build` does, with the name of its own only: a newer one has taken the other. Returns its id.
fn replaced_stack() -> String {
    let name = format!("{}:made-{}", docker::STACK, Timestamp::now().as_nanosecond());
    let text = "tar -c --files-from=/dev/null | docker import --change 'LABEL paas.stack=debian-12' - ";
    let script = text.to_owned() + &name;
    let made = Command::new("bash").args(["-c", &script]).output().unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_is_found_and_goes_and_nothing_else_does() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let worker = stage.spec(&slug, "worker", "sleep 1000");
    stage.desire(&[&worker]);
    stage.phase(&worker, Phase::Healthy).await;

    let mark = format!("paas.server={}", sandbox::mark(&stage.agent_dir()));
    let label = |name: &str, value: String| format!("--label=paas.{name}={value}");
    let create = |labels: &[String]| {
        let words: Vec<&str> = labels.iter().map(String::as_str).collect();
        docker(&[&["create"], &words[..], &[docker::STACK, "true"]].concat())
    };
    let ours = format!("--label={mark}");
    let stray = create(&[ours.clone(), label("replica", ReplicaId::new().to_string())]);
    let build = create(&[ours.clone(), label("build", "build.x".to_owned())]);
    let strangers = create(&["--label=paas.server=another".to_owned(), label("build", "build.y".to_owned())]);
    let gone = AppId::new();
    let network = format!("paas-{}-{gone}", sandbox::mark(&stage.agent_dir()));
    docker(&[
        "network",
        "create",
        "--subnet=10.215.77.0/28",
        &ours,
        &label("app", gone.to_string()),
        &network,
    ]);
    let image = replaced_stack();

    let host = HostUse { replicas: [worker.id].into(), apps: [stage.app].into() };
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let garbage = async |at: Timestamp| {
        let all = stage.engine().belongings().await;
        assert!(all.iter().any(|one| one.purpose == Purpose::Replica(worker.id)), "{all:#?}");
        all.into_iter().filter(|one| one.unneeded(&host, at).is_some()).collect::<Vec<_>>()
    };
    // The daemon may have old things from elsewhere as well.
    let expected = [stray, build, network.clone(), image];
    let now: BTreeSet<String> = garbage(Timestamp::now()).await.into_iter().map(|one| one.id).collect();
    assert!(expected.iter().all(|id| !now.contains(id)), "it is young: {now:?}");
    let found = garbage(later).await;
    let ids: BTreeSet<String> = found.iter().map(|one| one.id.clone()).collect();
    assert!(expected.iter().all(|id| ids.contains(id)), "{expected:?} in {ids:?}");
    assert!(!ids.contains(&strangers), "{ids:?}");
    for one in found.iter().filter(|one| expected.contains(&one.id)) {
        stage.engine().discard(one).await.unwrap();
        stage.engine().discard(one).await.unwrap();
    }
    let left: BTreeSet<String> = garbage(later).await.into_iter().map(|one| one.id).collect();
    assert!(expected.iter().all(|id| !left.contains(id)), "{left:?}");
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &strangers]), "created");
    docker(&["rm", &strangers]);
    stage.phase(&worker, Phase::Healthy).await;
    stage.leave().await;
}
