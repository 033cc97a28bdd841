//! A host of a story whatever its engine: slugs that it is given, replicas that it is to run, what it reports and what its app
//! writes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::{Agent, Seal};
use logs::{Bounds, LogDir, Query};
use model::config::ConfigVars;
use model::health::HealthCheck;
use model::id::{AppId, ReplicaId};
use model::release::Version;
use model::replica::{HostDesired, HostReport, Phase, ReplicaSpec, ReplicaStatus, Wish};
use model::size::Size;
use model::slug::Digest;
use sandbox::{HostFacts, Identity};
use slug::{SlugStore, Workshop};
use tempfile::TempDir;

/// The longest a story waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a cipher, but enough to tell sealed from open.
pub(crate) struct Inverted;

impl Seal for Inverted {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        plain.iter().map(|byte| !byte).collect()
    }

    fn open(&self, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(self.seal(sealed))
    }
}

pub(crate) struct Scene {
    pub(crate) dir: TempDir,
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    pub(crate) store: SlugStore,
    /// None while the story has ended it.
    pub(crate) agent: Option<Agent>,
    stop_seconds: u32,
    generation: u64,
    numbers: BTreeMap<String, u32>,
}

impl Scene {
    /// Returns a host without an agent, whose app runs under this user and has so many seconds to stop.
    pub(crate) fn new(uid: u32, stop_seconds: u32) -> Self {
        let dir = TempDir::new().unwrap();
        let store = SlugStore::local(&dir.path().join("blobs")).unwrap();
        let (app, generation, numbers) = (AppId::new(), 0, BTreeMap::new());
        Self { dir, app, uid, store, agent: None, stop_seconds, generation, numbers }
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    /// Packs these files; those that begin with `#!` are executable.
    pub(crate) async fn slug(&self, files: &[(&str, &str)]) -> Digest {
        let work = TempDir::new().unwrap();
        let tree = work.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for (name, content) in files {
            let path = tree.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let host = HostFacts::detect(&work.path().join("etc")).unwrap();
        let identity = Identity::new(self.uid, self.uid).unwrap();
        let workshop = Workshop { host: &host, identity, cgroup: None, limits: slug::PackLimits::default() };
        let image = work.path().join("image");
        let packed = slug::pack(&tree, &image, &workshop).unwrap();
        self.store.put(&packed.digest, &image).await.unwrap();
        packed.digest
    }

    /// Returns a replica that runs a command on a slug.
    pub(crate) fn spec(&mut self, slug: &Digest, process: &str, command: &str) -> ReplicaSpec {
        let number = self.numbers.entry(process.to_owned()).or_insert(0);
        *number += 1;
        ReplicaSpec {
            id: ReplicaId::new(),
            app: self.app,
            app_name: "shop".parse().unwrap(),
            uid: self.uid,
            release: Version(7),
            process: process.parse().unwrap(),
            number: *number,
            slug: slug.clone(),
            command: command.to_owned(),
            image: None,
            config: ConfigVars::default(),
            size: Size::Basic,
            health: HealthCheck { settle_ms: 50, ..HealthCheck::default() },
            host_header: "shop.localhost".to_owned(),
            wish: Wish::Run,
            stop_seconds: self.stop_seconds,
        }
    }

    pub(crate) fn desire(&mut self, replicas: &[&ReplicaSpec]) {
        self.generation += 1;
        let replicas = replicas.iter().map(|spec| (*spec).clone()).collect();
        self.agent().set_desired(HostDesired {
            term: 1,
            generation: self.generation,
            replicas,
            ..HostDesired::default()
        });
    }

    /// Waits for a report that fits, and returns it.
    pub(crate) async fn report(&self, what: &str, fits: impl Fn(&HostReport) -> bool) -> Arc<HostReport> {
        let mut reports = self.agent().reports();
        let found = tokio::time::timeout(PATIENCE, reports.wait_for(|report| fits(report))).await;
        match found {
            Ok(report) => Arc::clone(&report.unwrap()),
            Err(_) => {
                let report = Arc::clone(&self.agent().reports().borrow());
                panic!("waited in vain: {what}\n{report:#?}\n{}", self.log().join("\n"))
            }
        }
    }

    /// Waits until a replica's status fits, and returns it.
    pub(crate) async fn status(
        &self,
        spec: &ReplicaSpec,
        what: &str,
        fits: impl Fn(&ReplicaStatus) -> bool,
    ) -> ReplicaStatus {
        let of = |report: &HostReport| report.replicas.iter().find(|status| status.id == spec.id).cloned();
        let report = self.report(what, |report| of(report).is_some_and(|status| fits(&status))).await;
        of(&report).unwrap()
    }

    pub(crate) async fn phase(&self, spec: &ReplicaSpec, phase: Phase) -> ReplicaStatus {
        self.status(spec, &format!("{} is {phase:?}", spec.name()), |status| status.phase == phase).await
    }

    /// Returns the app's log as `app[web.1]: text`.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = LogDir::open(self.logs_dir().join(self.app.to_string()), Bounds::default()).unwrap();
        let line = |line: &logs::Line| format!("{}[{}]: {}", line.source, line.process, line.text);
        log.read(&Query::default()).unwrap().lines.iter().map(line).collect()
    }

    /// Waits until the log holds a line with this text.
    pub(crate) async fn logged(&self, text: &str) -> String {
        let found = || self.log().into_iter().find(|line| line.contains(text));
        wait(&format!("`{text}` in the log"), found, || self.log().join("\n")).await
    }
}

/// Waits until there is something, looking every few milliseconds.
pub(crate) async fn wait<T>(what: &str, look: impl Fn() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", explain());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
