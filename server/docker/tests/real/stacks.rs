//! Which images are stacks: those that `paasd stack build` made, and nothing that somebody built on them.

use std::fs;
use std::path::Path;
use std::process::Command;

use agent::Engine as _;
use docker::{Daemon, STACK, Stack, build_stack, list_stacks};
use model::keep::{Belonging, Purpose};

use crate::dockerd::Dockerd;
use crate::stage::Stage;

/// What the stack's Dockerfile begins with, for tests: whatever a step of it says, its shell has done it.
const BASE: &str = r#"set -euo pipefail
cd "$1"
mkdir bin dev etc proc sys
cp --dereference /bin/true bin/sh
ldd /bin/true | grep -o '/[^ ]*' | while read -r file; do cp --dereference --parents "$file" .; done
tar -c . | docker -H "$2" import - debian:bookworm-slim
"#;

/// Makes the stack, on a base that is new each time, so that the builder finds no step done.
async fn made(daemon: &Daemon, dockerd: &Dockerd) -> Stack {
    let root = tempfile::tempdir().unwrap();
    let base = Command::new("bash").args(["-c", BASE, "base"]).arg(root.path()).arg(dockerd.host()).output();
    let base = base.unwrap();
    assert!(base.status.success(), "{}", String::from_utf8_lossy(&base.stderr));
    let mut said = String::new();
    let made = build_stack(daemon, false, &mut |line| said = format!("{said}{line}\n")).await;
    made.unwrap_or_else(|error| panic!("{error:#}\n{said}"))
}

/// Builds an image on the stack with the builder that apps are built with; returns its id.
fn built(dockerd: &Dockerd, dir: &Path, line: &str, options: &[&str]) -> String {
    fs::write(dir.join("Dockerfile"), format!("FROM {STACK}\n{line}\n")).unwrap();
    let mut build = Command::new("docker");
    build.env("DOCKER_BUILDKIT", "0").args(["-H", &dockerd.host(), "build", "-q"]).args(options).arg(dir);
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

async fn stacks(stage: &Stage) -> Vec<Belonging> {
    let all = stage.engine().belongings().await;
    all.into_iter().filter(|one| matches!(one.purpose, Purpose::Stack { .. })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_on_a_stack_is_none_and_stays_when_the_stack_is_replaced() {
    let Some(dockerd) = Dockerd::start(false).await else { return };
    let stage = Stage::on(&dockerd).await;
    let daemon = Daemon::at(&dockerd.socket()).unwrap();
    let listed = async || list_stacks(&daemon).await.unwrap().into_iter().map(|stack| stack.id);
    let images = || stage.docker(&["images", "-aq", "--no-trunc"]);
    // It was made by something that gave it no other name.
    let first = listed().await.next().unwrap();
    let older = made(&daemon, &dockerd).await;
    assert!(listed().await.eq([older.id.clone()]) && !images().contains(&first), "{}", images());

    let dir = tempfile::tempdir().unwrap();
    let step = format!("paas-{}/app-build:0", sandbox::mark(&stage.agent_dir()));
    let own = [
        built(&dockerd, dir.path(), "ENV A=named", &["-t", "users-own"]),
        built(&dockerd, dir.path(), "ENV A=kept", &["-t", &step]),
        built(&dockerd, dir.path(), "ENV A=nameless", &[]),
    ];
    assert!(listed().await.eq([older.id.clone()]), "an image has the labels of what it is built on");
    let container = stage.docker(&["create", STACK, "true"]);
    let newer = made(&daemon, &dockerd).await;
    assert!(newer.image.is_some() && newer.id != older.id, "{newer:?}");
    assert!(listed().await.eq([newer.id.clone(), older.id.clone()]), "a container needs it");
    let replaced = stacks(&stage).await.into_iter().find(|one| one.id == older.id).unwrap();
    assert_eq!(replaced.purpose, Purpose::Stack { replaced: true, used: true });
    assert!(stage.engine().discard(&replaced).await.is_err());
    assert!(own.iter().all(|id| images().contains(id)), "{own:?} in {}", images());

    stage.docker(&["rm", &container]);
    for _ in 0..2 {
        stage.engine().discard(&replaced).await.unwrap();
    }
    let left: Vec<String> = stacks(&stage).await.into_iter().map(|one| one.id).collect();
    assert_eq!(left, [newer.id]);
    assert!(own.iter().all(|id| images().contains(id)), "{own:?} in {}", images());
    // Its files went on being theirs; with the last of them they go.
    stage.docker(&[&["rmi"], &own.each_ref().map(String::as_str)[..]].concat());
    assert!(!images().contains(&older.id), "{}", images());
}
