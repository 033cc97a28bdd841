//! A host to play a story on: an agent with the Docker engine in a directory of its own.

#[path = "../../../agent/tests/stage/scene.rs"]
mod scene;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;

use agent::{Agent, AgentOptions};
use docker::{Daemon, DockerEngine, DockerOptions, STACK};
use model::config::ConfigVars;
use model::replica::ReplicaSpec;
use sandbox::Reach;
use scene::{Inverted, Scene};

pub(crate) use scene::wait;

use crate::dockerd::Dockerd;

/// How long an app has to stop, in seconds.
const STOP: u32 = 20;

pub(crate) struct Stage {
    scene: Scene,
    engine: Option<DockerEngine>,
    /// The socket of a daemon of the test's own, if it is not that of the host.
    socket: Option<PathBuf>,
    control_port: u16,
    control_addresses: Vec<SocketAddr>,
    behind_balancer: bool,
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
        let scene = Scene::new(300_000 + std::process::id() % 10_000, STOP);
        let mut stage = Self {
            scene,
            engine: None,
            socket,
            control_port: 1,
            control_addresses: Vec::new(),
            behind_balancer: false,
        };
        stage.start_agent().await;
        stage
    }

    /// Has the next start take these addresses as those of servers.
    pub(crate) fn apart_from(mut self, servers: Vec<SocketAddr>) -> Self {
        self.control_addresses = servers;
        self
    }

    /// Starts anew, with a port of the control plane that apps must not reach.
    pub(crate) async fn with_control_port(mut self, port: u16) -> Self {
        self.drop_agent();
        self.control_port = port;
        self.start_agent().await;
        self
    }

    /// Starts anew, with replicas that a load balancer reaches.
    pub(crate) async fn behind_balancer(mut self) -> Self {
        self.drop_agent();
        self.behind_balancer = true;
        self.start_agent().await;
        self
    }

    pub(crate) async fn start_agent(&mut self) {
        let reach = Reach {
            data_dir: self.dir.path().to_owned(),
            uids: 200_000..=u32::MAX - 1,
            control_ports: vec![self.control_port],
            control_addresses: self.control_addresses.clone(),
            bridges: None,
            balanced_ports: self.behind_balancer.then_some(AgentOptions::PORTS),
        };
        let options = DockerOptions {
            dir: self.agent_dir(),
            logs_dir: self.logs_dir(),
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
            logs_dir: self.logs_dir(),
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
        (self.scene.agent, self.engine) = (None, None);
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
