//! A host to play a story on: an agent with the sandbox engine in a directory of its own.

#![allow(dead_code, reason = "each story uses some of it")]

mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Deref, DerefMut, RangeInclusive};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use agent::{Agent, AgentOptions, SandboxEngine, SandboxOptions};
use model::config::ConfigVars;
use model::id::ReplicaId;
use model::replica::ReplicaSpec;
use rustix::process::{Pid, Signal, kill_process};
use scene::{Inverted, Scene};

pub(crate) const UID: u32 = 234_567;

pub(crate) struct Stage {
    scene: Scene,
    ports: RangeInclusive<u16>,
}

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Scene {
        &mut self.scene
    }
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
        let mut stage = Self { scene: Scene::new(UID, 1), ports };
        stage.start_agent().await;
        stage
    }

    pub(crate) async fn start_agent(&mut self) {
        let options = SandboxOptions {
            dir: self.agent_dir(),
            logs_dir: self.logs_dir(),
            supervisor: supervisor(),
            slugs: self.store.clone(),
            reach: None,
        };
        let options = AgentOptions {
            dir: self.agent_dir(),
            logs_dir: self.logs_dir(),
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

    pub(crate) fn replica_dir(&self, id: ReplicaId) -> PathBuf {
        self.agent_dir().join("replicas").join(id.to_string())
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

/// Waits until there is something.
pub(crate) async fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    scene::wait(what, look, String::new).await
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
