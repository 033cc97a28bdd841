//! A host to play a story on: an agent with the Docker engine in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::{Agent, AgentOptions, Seal};
use docker::{Daemon, DockerEngine, DockerOptions, STACK};
use logs::{Bounds, LogDir, Query};
use model::config::ConfigVars;
use model::health::HealthCheck;
use model::id::{AppId, ReplicaId};
use model::release::Version;
use model::replica::{HostDesired, HostReport, Phase, ReplicaSpec, ReplicaStatus, Wish};
use model::size::Size;
use model::slug::Digest;
use sandbox::{HostFacts, Identity, Reach};
use slug::{SlugStore, Workshop};
use tempfile::TempDir;

use crate::dockerd::Dockerd;

/// The longest a story waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a cipher, but enough to tell sealed from open.
struct Inverted;

impl Seal for Inverted {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        plain.iter().map(|byte| !byte).collect()
    }

    fn open(&self, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(self.seal(sealed))
    }
}

pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    agent: Option<Agent>,
    engine: Option<DockerEngine>,
    /// The socket of a daemon of the test's own, if it is not that of the host.
    socket: Option<PathBuf>,
    pub(crate) store: SlugStore,
    control_port: u16,
    generation: u64,
    numbers: BTreeMap<String, u32>,
}

/// Returns the daemon if it answers and has the stack; says visibly that a test is skipped if not.
pub(crate) async fn daemon() -> Option<Daemon> {
    let found = match Daemon::connect().await {
        Err(error) => Err(error.to_string()),
        Ok(daemon) => match docker::find_stack(&daemon).await {
            Ok(Some(_)) => Ok(daemon),
            Ok(None) => Err("the Docker Engine has no stack; `paasd stack build` makes it".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    };
    found.inspect_err(|why| eprintln!("SKIPPED: {why}")).ok()
}

impl Stage {
    pub(crate) async fn new() -> Option<Self> {
        daemon().await?;
        Some(Self::with(None).await)
    }

    /// Returns a host with a daemon of the test's own.
    pub(crate) async fn on(dockerd: &Dockerd) -> Self {
        Self::with(Some(dockerd.socket())).await
    }

    async fn with(socket: Option<PathBuf>) -> Self {
        let dir = TempDir::new().unwrap();
        let store = SlugStore::local(&dir.path().join("blobs")).unwrap();
        let uid = 300_000 + std::process::id() % 10_000;
        let app = AppId::new();
        let mut stage = Self {
            dir,
            app,
            uid,
            agent: None,
            engine: None,
            socket,
            store,
            control_port: 1,
            generation: 0,
            numbers: BTreeMap::new(),
        };
        stage.start_agent().await;
        stage
    }

    /// Starts anew, with a port of the control plane that apps must not reach.
    pub(crate) async fn with_control_port(mut self, port: u16) -> Self {
        self.drop_agent();
        self.control_port = port;
        self.start_agent().await;
        self
    }

    pub(crate) async fn start_agent(&mut self) {
        let reach = Reach {
            data_dir: self.dir.path().to_owned(),
            uids: 200_000..=u32::MAX - 1,
            control_ports: vec![self.control_port],
            bridges: None,
        };
        let options = DockerOptions {
            dir: self.agent_dir(),
            logs_dir: self.dir.path().join("logs"),
            slugs: self.store.clone(),
            reach: Some(reach),
            image: STACK.to_owned(),
        };
        let daemon = match &self.socket {
            Some(socket) => Daemon::at(socket).unwrap(),
            None => Daemon::local().unwrap(),
        };
        let engine = DockerEngine::new(options, daemon).unwrap();
        let options = AgentOptions {
            dir: self.agent_dir(),
            logs_dir: self.dir.path().join("logs"),
            probe_ip: IpAddr::from(Ipv4Addr::LOCALHOST),
            ports: AgentOptions::PORTS,
            seal: Arc::new(Inverted),
            engine: Arc::new(engine.clone()),
        };
        self.engine = Some(engine);
        self.agent = Some(Agent::start(options).await.unwrap());
    }

    /// Returns the engine of the agent.
    pub(crate) fn engine(&self) -> &DockerEngine {
        self.engine.as_ref().unwrap()
    }

    /// Ends the agent without ceremony.
    pub(crate) fn drop_agent(&mut self) {
        (self.agent, self.engine) = (None, None);
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
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
            stop_seconds: 20,
        }
    }

    pub(crate) fn desire(&mut self, replicas: &[&ReplicaSpec]) {
        self.generation += 1;
        let replicas = replicas.iter().map(|spec| (*spec).clone()).collect();
        let generation = self.generation;
        self.agent().set_desired(HostDesired { term: 1, generation, replicas, ..HostDesired::default() });
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

    pub(crate) async fn phase(&self, spec: &ReplicaSpec, phase: Phase) -> ReplicaStatus {
        let of = |report: &HostReport| report.replicas.iter().find(|status| status.id == spec.id).cloned();
        let what = format!("{} is {phase:?}", spec.name());
        let report =
            self.report(&what, |report| of(report).is_some_and(|status| status.phase == phase)).await;
        of(&report).unwrap()
    }

    /// Returns the app's log as `app[web.1]: text`.
    pub(crate) fn log(&self) -> Vec<String> {
        let log =
            LogDir::open(self.dir.path().join("logs").join(self.app.to_string()), Bounds::default()).unwrap();
        let line = |line: &logs::Line| format!("{}[{}]: {}", line.source, line.process, line.text);
        log.read(&Query::default()).unwrap().lines.iter().map(line).collect()
    }

    /// Waits until the log holds a line with this text.
    pub(crate) async fn logged(&self, text: &str) -> String {
        let found = || self.log().into_iter().find(|line| line.contains(text));
        let what = format!("`{text}` in the log");
        wait(&what, found, || self.log().join("\n")).await
    }

    /// Asks the daemon in another way than the engine does.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let host = self.socket.as_ref().map(|socket| format!("unix://{}", socket.display()));
        let there = host.as_ref().map(|host| ["-H", host.as_str()]);
        docker(&[there.as_ref().map_or(&[][..], |there| &there[..]), arguments].concat())
    }

    /// Returns the name of a replica's container.
    pub(crate) fn container(&self, spec: &ReplicaSpec) -> String {
        format!("paas-{}-{}", sandbox::mark(&self.agent_dir()), spec.id)
    }

    /// Asks for nothing and waits until nothing is left on the host.
    pub(crate) async fn leave(&mut self) {
        self.desire(&[]);
        self.report("nothing is left", |report| report.replicas.is_empty()).await;
        assert_eq!(fs::read_dir(self.agent_dir().join("replicas")).unwrap().count(), 0);
        let mark = sandbox::mark(&self.agent_dir());
        for kind in [&["ps", "-aq"][..], &["network", "ls", "-q"]] {
            let filter = format!("label=paas.server={mark}");
            assert_eq!(self.docker(&[kind, &["--filter", &filter]].concat()), "", "{kind:?}");
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.dir.path().to_str().unwrap()), "a mount is left:\n{mounts}");
    }
}

impl Drop for Stage {
    /// Removes what a story that failed left.
    fn drop(&mut self) {
        self.drop_agent();
        let filter = format!("label=paas.server={}", sandbox::mark(&self.agent_dir()));
        for container in self.docker(&["ps", "-aq", "--filter", &filter]).lines() {
            self.docker(&["rm", "-f", container]);
        }
        for network in self.docker(&["network", "ls", "-q", "--filter", &filter]).lines() {
            self.docker(&["network", "rm", network]);
        }
        for replica in fs::read_dir(self.agent_dir().join("replicas")).into_iter().flatten().flatten() {
            let _ = slug::remove_overlay(&replica.path());
        }
        let _ = slug::unmount_below(self.dir.path());
        sandbox::Firewall::take_down(self.dir.path());
    }
}

/// Asks the daemon in another way than the engine does.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Waits until there is something.
pub(crate) async fn wait<T>(what: &str, look: impl Fn() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", explain());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A web server that answers `hello`.
pub(crate) const SERVER: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer((os.environ.get("BIND", "0.0.0.0"), int(os.environ["PORT"])), Handler)
print("listening", flush=True)
server.serve_forever()
"#;

/// Returns config vars.
pub(crate) fn config(vars: &[(&str, &[u8])]) -> ConfigVars {
    let vars = vars
        .iter()
        .map(|(key, value)| (key.parse().unwrap(), Some(model::config::ConfigValue::from(value.to_vec()))));
    ConfigVars::default().changed(vars).unwrap()
}
