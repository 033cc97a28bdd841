//! A host to play a story on: an agent with the sandbox engine in a directory of its own.

#![allow(dead_code, reason = "each story uses some of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use agent::{Agent, AgentOptions, SandboxEngine, SandboxOptions, Seal};
use logs::{Bounds, LogDir, Query};
use model::config::ConfigVars;
use model::health::HealthCheck;
use model::id::{AppId, ReplicaId};
use model::release::Version;
use model::replica::{HostDesired, HostReport, Phase, ReplicaSpec, ReplicaStatus, Wish};
use model::size::Size;
use model::slug::Digest;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{HostFacts, Identity};
use slug::{SlugStore, Workshop};
use tempfile::TempDir;

pub(crate) const UID: u32 = 234_567;

/// The longest a story waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

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
    agent: Option<Agent>,
    store: SlugStore,
    ports: RangeInclusive<u16>,
    generation: u64,
    numbers: BTreeMap<String, u32>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        // Stories run side by side, each with ports of its own.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let process = u16::try_from(std::process::id() % 900).unwrap() * 10;
        let first = 20_000 + (process + NEXT.fetch_add(10, Ordering::Relaxed)) % 9_900;
        Self::with_ports(first..=first + 9).await
    }

    pub(crate) async fn with_ports(ports: RangeInclusive<u16>) -> Self {
        let dir = TempDir::new().unwrap();
        let store = SlugStore::local(&dir.path().join("blobs")).unwrap();
        let (generation, numbers) = (0, BTreeMap::new());
        let mut stage = Self { dir, app: AppId::new(), agent: None, store, ports, generation, numbers };
        stage.start_agent().await;
        stage
    }

    pub(crate) async fn start_agent(&mut self) {
        let options = SandboxOptions {
            dir: self.agent_dir(),
            logs_dir: self.dir.path().join("logs"),
            supervisor: supervisor(),
            slugs: self.store.clone(),
            reach: None,
        };
        let options = AgentOptions {
            dir: self.agent_dir(),
            logs_dir: self.dir.path().join("logs"),
            probe_ip: IpAddr::from(Ipv4Addr::LOCALHOST),
            ports: self.ports.clone(),
            seal: Arc::new(Inverted),
            engine: Arc::new(SandboxEngine::new(options).unwrap()),
        };
        self.agent = Some(Agent::start(options).await.unwrap());
    }

    /// Ends the agent without ceremony.
    pub(crate) fn drop_agent(&mut self) {
        self.agent = None;
    }

    /// Ends the agent in order.
    pub(crate) async fn shut_down_agent(&mut self) {
        self.agent.take().unwrap().shutdown().await;
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    pub(crate) fn replica_dir(&self, id: ReplicaId) -> PathBuf {
        self.agent_dir().join("replicas").join(id.to_string())
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
        let identity = Identity::new(UID, UID).unwrap();
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
            uid: UID,
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
            stop_seconds: 1,
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
        let log =
            LogDir::open(self.dir.path().join("logs").join(self.app.to_string()), Bounds::default()).unwrap();
        let line = |line: &logs::Line| format!("{}[{}]: {}", line.source, line.process, line.text);
        log.read(&Query::default()).unwrap().lines.iter().map(line).collect()
    }

    /// Waits until the log holds a line with this text.
    pub(crate) async fn logged(&self, text: &str) -> String {
        let found = || self.log().into_iter().find(|line| line.contains(text));
        wait(&format!("`{text}` in the log"), found).await
    }

    /// Returns the supervisor's process id.
    pub(crate) fn supervisor_of(&self, spec: &ReplicaSpec) -> Pid {
        let run = fs::read_to_string(self.replica_dir(spec.id).join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        Pid::from_raw(i32::try_from(run["pid"].as_i64().unwrap()).unwrap()).unwrap()
    }

    /// Returns all processes of a replica: its supervisor and everything in its sandbox.
    pub(crate) fn processes_of(&self, spec: &ReplicaSpec) -> Vec<Pid> {
        let supervisor = self.supervisor_of(spec);
        std::iter::once(supervisor).chain(sandbox::descendants(supervisor)).collect()
    }

    /// Returns all processes in sandboxes of this stage with their supervisors, known or not: they hold a file here, or
    /// are in a cgroup of the agent's.
    pub(crate) fn processes_here(&self) -> BTreeSet<i32> {
        let here = self.dir.path().to_str().unwrap();
        let mark = sandbox::mark(&self.agent_dir());
        let mentions = |pid: &i32| {
            let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let mut open = files.filter_map(|file| fs::read_link(file.path()).ok());
            read("mountinfo").lines().any(|line| line.contains(" /app ") && line.contains(here))
                || (read("cmdline").ends_with("supervise\0") && open.any(|path| path.starts_with(here)))
                || read("cmdline").contains(here)
                || read("cgroup").contains(&mark)
        };
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(mentions).collect()
    }

    /// Asks for nothing and waits until nothing is left on the host.
    pub(crate) async fn leave(&mut self, specs: &[&ReplicaSpec]) {
        let processes: Vec<_> = specs
            .iter()
            .filter(|spec| self.replica_dir(spec.id).join("run.json").exists())
            .flat_map(|spec| self.processes_of(spec))
            .collect();
        self.desire(&[]);
        self.report("nothing is left", |report| report.replicas.is_empty()).await;
        gone(&processes).await;
        assert_eq!(
            fs::read_dir(self.agent_dir().join("replicas")).unwrap().count(),
            0,
            "a directory is left"
        );
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let here = self.dir.path().to_str().unwrap();
        assert!(!mounts.contains(here), "a mount is left:\n{mounts}");
        for spec in specs {
            assert_eq!(cgroups_of(spec.id), Vec::<PathBuf>::new(), "a cgroup is left");
        }
    }
}

impl Drop for Stage {
    /// Removes what a story that failed left.
    fn drop(&mut self) {
        self.agent = None;
        let replicas = fs::read_dir(self.agent_dir().join("replicas")).into_iter().flatten().flatten();
        for replica in replicas {
            let run = fs::read_to_string(replica.path().join("run.json")).unwrap_or_default();
            let run: serde_json::Value = serde_json::from_str(&run).unwrap_or_default();
            if let Some(pid) = run["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = slug::remove_overlay(&replica.path());
        }
        let _ = slug::unmount_below(self.dir.path());
    }
}

fn supervisor() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/supervise");
    assert!(path.exists(), "`cargo test -p agent --examples --no-run` builds {}", path.display());
    path
}

/// Waits until there is something, looking every few milliseconds.
pub(crate) async fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until these processes are gone: the kernel takes a moment after the last of them was told.
pub(crate) async fn gone(processes: &[Pid]) {
    let all_gone = || (!processes.iter().any(|pid| is_alive(*pid))).then_some(());
    wait("processes to be gone", all_gone).await;
}

/// Tells whether a process is there and not just waiting to be collected.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with(['Z', 'X']))
}

/// Returns the cgroups of a replica, in all hierarchies.
pub(crate) fn cgroups_of(id: ReplicaId) -> Vec<PathBuf> {
    let id = id.to_string();
    let roots = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let roots = roots.chain([PathBuf::from("/sys/fs/cgroup")]);
    let groups = roots.flat_map(|root| fs::read_dir(root.join("paas")).into_iter().flatten().flatten());
    groups.map(|group| group.path()).filter(|path| path.to_string_lossy().ends_with(&id)).collect()
}

/// A web server that answers `/` with `hello` and says when it is up; the environment steers it.
pub(crate) const SERVER: &str = r#"
import http.server, os, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = int(os.environ.get("STATUS", "200"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"<title>sorry \x1b[31m</title>no database" if status >= 500 else b"hello")
    def log_message(self, *args):
        print("asked by", self.headers["User-Agent"], "for", self.headers["Host"], flush=True)
time.sleep(float(os.environ.get("SLOW", "0")))
if "DEAF" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
port = int(os.environ.get("WRONG_PORT") or os.environ["PORT"])
server = http.server.ThreadingHTTPServer((os.environ.get("BIND", "127.0.0.1"), port), Handler)
print("listening", flush=True)
server.serve_forever()
"#;

/// Returns config vars.
pub(crate) fn config(vars: &[(&str, &str)]) -> ConfigVars {
    let vars = vars.iter().map(|(key, value)| (key.parse().unwrap(), Some((*value).into())));
    ConfigVars::default().changed(vars).unwrap()
}
