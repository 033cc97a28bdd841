//! Container images: built of a Dockerfile with the daemon's builder, packed as slugs, and run with all their files the app's.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;

use build::{BuildFailure, BuildLog, BuildOutput, BuildRequest, Builder, FailureKind, Tools};
use docker::{BuildContainers, STACK};
use model::id::BuildId;
use model::replica::{Phase, ReplicaSpec, Wish};
use model::stack::BuildStack;
use sandbox::HostFacts;
use tokio_util::sync::CancellationToken;

use crate::slugs;
use crate::stage::{SERVER, Stage, config, daemon, docker, wait};

/// What each build of a test shares.
struct Workshop {
    builder: Builder,
    request: BuildRequest,
    dir: tempfile::TempDir,
}

impl Workshop {
    async fn at(stage: &Stage) -> Self {
        let dir = tempfile::tempdir_in(stage.dir.path()).unwrap();
        let host = HostFacts::detect(&dir.path().join("etc")).unwrap();
        let builder = Builder::new(Arc::new(host.clone()), Tools::new(Some("/bin/true".into()), None));
        let containers = BuildContainers::new(daemon().await.unwrap(), host, &stage.agent_dir(), STACK);
        let builder =
            tokio::task::spawn_blocking(move || builder.in_containers(Arc::new(containers))).await.unwrap();
        let request = BuildRequest { stack: BuildStack::Container, ..slugs::request(stage, dir.path(), 300) };
        Self { builder, request, dir }
    }

    /// Builds a source of these files; the second part is the log.
    async fn build(
        &self,
        files: &[(&str, &str)],
        cancel: CancellationToken,
    ) -> (Result<BuildOutput, BuildFailure>, String) {
        let mut request = self.request.clone();
        request.build = BuildId::new();
        request.work_dir = self.dir.path().join(request.build.to_string());
        request.source = request.work_dir.join("source");
        fs::create_dir_all(&request.source).unwrap();
        for (name, content) in files {
            fs::write(request.source.join(name), content).unwrap();
        }
        let path = self.log();
        let log = BuildLog::open(&path, &request.config).unwrap();
        let built = self.builder.run(request, &log, cancel).await;
        (built, fs::read_to_string(&path).unwrap())
    }

    async fn built(&self, files: &[(&str, &str)]) -> BuildOutput {
        let (built, log) = self.build(files, CancellationToken::new()).await;
        built.unwrap_or_else(|failure| panic!("{failure:?}\n{log}"))
    }

    async fn failed(&self, files: &[(&str, &str)]) -> (BuildFailure, String) {
        let (built, log) = self.build(files, CancellationToken::new()).await;
        (built.expect_err(&log), log)
    }

    fn log(&self) -> std::path::PathBuf {
        self.dir.path().join("log")
    }

    /// Returns the names of the images that are kept for the next build.
    fn kept(&self, stage: &Stage) -> Vec<String> {
        let name = format!("paas-{}/{}-*", sandbox::mark(&stage.agent_dir()), self.request.app);
        let mut names: Vec<_> =
            docker(&["images", "--format", "{{.Tag}}", &name]).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Removes what is kept, as when the app was destroyed.
    async fn leave(&self, stage: &Stage) {
        let all = self.builder.images_beyond(BTreeSet::new()).await.unwrap();
        assert_eq!(all.len(), self.kept(stage).len(), "{all:?}");
        let of_this = self.builder.images_beyond(BTreeSet::from([self.request.app])).await.unwrap();
        assert_eq!(of_this, [], "an app that exists keeps its own");
        self.builder.keep_images_of(BTreeSet::new()).await.unwrap();
        assert_eq!(self.kept(stage), [""; 0]);
    }
}

fn dockerfile(lines: &str) -> String {
    format!("FROM {STACK}\n{lines}")
}

fn of(output: &BuildOutput, spec: ReplicaSpec) -> ReplicaSpec {
    let command = output.manifest.processes.get(spec.process.as_str()).cloned().unwrap_or(spec.command);
    ReplicaSpec { slug: output.slug.digest.clone(), image: output.manifest.image.clone(), command, ..spec }
}

async fn store(stage: &Stage, output: &BuildOutput) {
    stage.store.put(&output.slug.digest, &output.slug.image).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_serves_with_its_files_the_apps_and_without_rights() {
    let Some(mut stage) = Stage::new().await else { return };
    let workshop = Workshop::at(&stage).await;
    let text = dockerfile(
        "RUN useradd -m keeper && mkdir -m 0700 /srv/data && chown keeper /srv/data && echo x > /top && ln -s /srv/data /short\n\
         USER keeper\nENV FLAVOUR=plain MOOD=calm\nWORKDIR /srv/shop\nEXPOSE 3000\nCOPY server.py .\nCMD [\"python3\", \"server.py\"]\n",
    );
    let output = workshop.built(&[("Dockerfile", &text), ("server.py", SERVER)]).await;
    let image = output.manifest.image.clone().unwrap();
    assert_eq!(
        (image.user.as_str(), image.home.as_str(), image.workdir.as_str()),
        ("keeper", "/home/keeper", "/srv/shop")
    );
    assert_eq!(
        (output.manifest.stack.as_str(), image.ports.as_slice()),
        ("container", ["3000/tcp".to_owned()].as_slice())
    );
    store(&stage, &output).await;
    let vars = config(&[("MOOD", b"bright"), ("SECRET", b"s3cret \xff'")]);
    let web = of(&output, stage.spec(&output.slug.digest, "web", ""));
    let web = ReplicaSpec { config: vars.clone(), ..web };
    let script = r#"echo "user $(id -un) $HOME $FLAVOUR $MOOD"; echo "caps $(grep CapBnd /proc/self/status | tr -d '\t')"
        touch /srv/data/a /short/b /usr/bin/c && echo wrote; touch /d 2>/dev/null || echo "root is fixed"
        printf %s "$SECRET" | od -An -tx1 | tr -d ' '; cat /top"#;
    let job = of(&output, stage.spec(&output.slug.digest, "job", script));
    let job = ReplicaSpec { wish: Wish::Once { seconds: 60 }, config: vars, ..job };
    stage.desire(&[&web, &job]);
    stage.phase(&web, Phase::Healthy).await;
    stage.phase(&job, Phase::Ended).await;
    stage.logged("app[web.1]: listening").await;
    for part in [
        "user app /home/keeper plain bright",
        "caps CapBnd:0000000000000000",
        "wrote",
        "root is fixed",
        "733363726574",
        "]: x",
    ] {
        stage.logged(part).await;
    }
    let known = docker(&["inspect", &stage.container(&web)]);
    assert!(known.contains(&web.id.to_string()) && !known.contains("s3cret") && !known.contains("plain"));
    workshop.leave(&stage).await;
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_image_is_the_same_slug_and_only_its_last_steps_are_kept() {
    let Some(stage) = Stage::new().await else { return };
    let workshop = Workshop::at(&stage).await;
    let staged = |line: &str| {
        format!(
            "FROM {STACK} AS tools\nRUN echo made > /made\nFROM {STACK}\nCOPY --from=tools /made /made\n{line}\n"
        )
    };
    let first = workshop.built(&[("Dockerfile", &staged("CMD cat /made"))]).await;
    assert_eq!(workshop.kept(&stage), ["0", "1"]);
    let again = workshop.built(&[("Dockerfile", &staged("CMD cat /made"))]).await;
    assert_eq!(first.slug.digest, again.slug.digest);
    let images = || docker(&["images", "-aq", "--no-trunc"]).lines().count();
    let before = images();
    let other = workshop.built(&[("Dockerfile", &staged("CMD cat  /made"))]).await;
    assert_ne!(first.slug.digest, other.slug.digest, "what runs is part of the slug");
    assert_eq!((workshop.kept(&stage), images()), (vec!["0".to_owned(), "1".to_owned()], before));
    workshop.leave(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_become_a_slug_is_refused_in_words() {
    let Some(stage) = Stage::new().await else { return };
    let workshop = Workshop::at(&stage).await;
    let (absent, log) = workshop.failed(&[("README", "")]).await;
    assert_eq!((absent.kind, log.contains("not found  Dockerfile")), (FailureKind::NoMatch, true), "{log}");
    let (step, log) = workshop.failed(&[("Dockerfile", &dockerfile("RUN echo almost; exit 7\n"))]).await;
    assert!(step.reason.contains("non-zero code: 7") && log.contains("almost"), "{step:?}\n{log}");
    let (bare, _) =
        workshop.failed(&[("Dockerfile", "FROM scratch\nCOPY a /a\nCMD [\"/a\"]\n"), ("a", "")]).await;
    assert!(bare.reason.contains("no /bin/sh"), "{bare:?}");
    let (unknown, log) = workshop.failed(&[("Dockerfile", "FROM paas-no-such-image-anywhere\n")]).await;
    assert!(log.contains("cannot be fetched") && unknown.hint.is_some(), "{unknown:?}\n{log}");
    workshop.leave(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_an_image_that_is_cancelled_leaves_nothing_running() {
    let Some(stage) = Stage::new().await else { return };
    let workshop = Workshop::at(&stage).await;
    let cancel = CancellationToken::new();
    let (cancelling, path) = (cancel.clone(), workshop.log());
    let canceller = tokio::spawn(async move {
        let read = || fs::read_to_string(&path).ok().filter(|text| text.contains("waiting"));
        wait("the build to wait", read, || fs::read_to_string(&path).unwrap_or_default()).await;
        cancelling.cancel();
    });
    let marker = format!("sleep 1000.{}", std::process::id());
    let text = dockerfile(&format!("RUN echo \"wait\"ing; {marker}\n"));
    let (built, _) = workshop.build(&[("Dockerfile", &text)], cancel).await;
    canceller.await.unwrap();
    assert_eq!(built.unwrap_err().reason, "the build was cancelled");
    let running = || docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]);
    let gone = || (!running().contains(&marker)).then_some(());
    wait("the step to end", gone, running).await;
    workshop.leave(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_reaches_neither_metadata_nor_the_control_plane() {
    let Some(stage) = Stage::new().await else { return };
    let [control, other] = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    let [control, other] = [&control, &other].map(|listener| listener.local_addr().unwrap().port());
    let stage = stage.with_control_port(control).await;
    let workshop = Workshop::at(&stage).await;
    let script = format!(
        r#"import socket, struct
def tried(address, port):
    try:
        socket.create_connection((address, port), 3).close()
        return "open"
    except OSError:
        return "closed"
routes = [line.split() for line in open("/proc/net/route")]
host = next(socket.inet_ntoa(struct.pack("<L", int(r[2], 16))) for r in routes if r[1] == "00000000")
print("reach", tried("169.254.169.254", 80), tried(host, {control}), tried(host, {other}))
"#
    );
    let text = dockerfile("COPY probe.py /\nRUN python3 /probe.py\nCMD true\n");
    let (built, log) =
        workshop.build(&[("Dockerfile", &text), ("probe.py", &script)], CancellationToken::new()).await;
    assert!(built.is_ok() && log.contains("reach closed closed open"), "{log}");
    workshop.leave(&stage).await;
}
