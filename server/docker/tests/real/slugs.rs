//! A slug is the same whichever engine built it, and runs in both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use build::{BuildLimits, BuildLog, BuildRequest, Builder, Tools};
use docker::{BuildContainers, STACK};
use model::config::ConfigVars;
use model::id::{AppId, BuildId};
use model::pins::Pins;
use model::replica::{Phase, ReplicaSpec, Wish};
use sandbox::{HostFacts, Identity};
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, daemon};

/// An app whose buildpack needs nothing from outside.
const FILES: [(&str, &str); 2] = [
    ("Procfile", "job: bin/job\n"),
    ("bin/job", "#!/bin/bash\ncat /etc/os-release | head -1\necho built and run\n"),
];

pub(crate) fn request(stage: &Stage, work: &Path, seconds: u64) -> BuildRequest {
    let source = work.join("app");
    for (name, content) in FILES {
        let path = source.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    BuildRequest {
        build: BuildId::new(),
        app: AppId::new(),
        app_name: "shop".parse().unwrap(),
        identity: Identity::new(stage.uid, stage.uid),
        source,
        commit: "3ca0fad1c2b3a4958675".into(),
        branch: "main".into(),
        config: ConfigVars::default().changed([("KEY".parse().unwrap(), Some("value".into()))]).unwrap(),
        pins: Pins::new(),
        stack: model::stack::BuildStack::Buildpacks,
        buildpacks: Vec::new(),
        cache_dir: work.join("cache"),
        work_dir: work.to_owned(),
        limits: BuildLimits { seconds, ..BuildLimits::default() },
        build_env: std::collections::BTreeMap::new(),
        clear_cache: false,
    }
}

async fn builder(dir: &Path, in_containers: bool) -> Builder {
    let host = HostFacts::detect(&dir.join("etc")).unwrap();
    let builder = Builder::new(Arc::new(host.clone()), Tools::new(Some("/bin/true".into()), None));
    if !in_containers {
        return builder;
    }
    let containers = BuildContainers::new(daemon().await.unwrap(), host, dir, STACK);
    tokio::task::spawn_blocking(move || builder.in_containers(Arc::new(containers))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_engine_builds_the_other_runs() {
    let Some(mut stage) = Stage::new().await else { return };
    let mut digests = Vec::new();
    for in_containers in [false, true] {
        let work = tempfile::tempdir_in(stage.dir.path()).unwrap();
        let builder = builder(work.path(), in_containers).await;
        let request = request(&stage, work.path(), 60);
        let log = BuildLog::open(&work.path().join("log"), &request.config).unwrap();
        let built = builder.run(request, &log, CancellationToken::new()).await;
        let output = built.unwrap_or_else(|failure| {
            panic!("{failure:?}\n{}", fs::read_to_string(work.path().join("log")).unwrap_or_default())
        });
        assert_eq!(output.manifest.stack, "debian-12");
        stage.store.put(&output.slug.digest, &output.slug.image).await.unwrap();
        digests.push(output.slug.digest);
    }
    assert_eq!(digests[0], digests[1]);
    let job = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&digests[1], "job", "bin/job") };
    stage.desire(&[&job]);
    stage.phase(&job, Phase::Ended).await;
    stage.logged("app[job.1]: built and run").await;
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_cancelled_leaves_no_container() {
    let Some(stage) = Stage::new().await else { return };
    let work = tempfile::tempdir_in(stage.dir.path()).unwrap();
    let builder = builder(work.path(), true).await;
    let mut request = request(&stage, work.path(), 60);
    fs::write(request.source.join("requirements.txt"), "").unwrap();
    let hook = request.source.join("bin/pre_compile");
    fs::write(&hook, "#!/bin/bash\necho waiting\nsleep 1000\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    request.buildpacks = vec!["python".to_owned()];
    let path = work.path().join("log");
    let (log, cancel) = (BuildLog::open(&path, &request.config).unwrap(), CancellationToken::new());
    let cancelling = cancel.clone();
    let canceller = tokio::spawn(async move {
        let read = || fs::read_to_string(&path).ok().filter(|text| text.contains("waiting"));
        crate::stage::wait("the build to wait", read, || fs::read_to_string(&path).unwrap_or_default()).await;
        cancelling.cancel();
    });
    let failure = builder.run(request, &log, cancel).await.unwrap_err();
    canceller.await.unwrap();
    assert_eq!(failure.reason, "the build was cancelled");
    let filter = format!("label=paas.server={}", sandbox::mark(work.path()));
    assert_eq!(crate::stage::docker(&["ps", "-aq", "--filter", &filter]), "");
}
