//! A host: a machine with an agent on it.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::machine::Machine;
use super::network::Side;
use crate::platform::binary;

/// Where its entry is.
const ENTRY: &str = "5002";

/// A machine whose agent has joined. Dropped, it is stopped with everything it runs.
pub(crate) struct Host {
    pub(crate) machine: Machine,
    data: PathBuf,
    /// Where servers are called.
    servers: Vec<String>,
    agent: Child,
}

impl Host {
    /// Starts an agent that calls the servers with the token.
    pub(crate) fn join(machine: Machine, servers: &[String], token: &str) -> Self {
        let data = machine.disk().join("data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.with_extension("token"), token).unwrap();
        let agent = spawn(&machine, &data, servers);
        Self { machine, data, servers: servers.to_vec(), agent }
    }

    pub(crate) fn name(&self) -> &str {
        &self.machine.name
    }

    /// Returns what the agent has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    /// Ends the agent as `kill -9` does; replicas go on.
    pub(crate) fn kill_agent(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }

    pub(crate) fn start_agent(&mut self) {
        self.agent = spawn(&self.machine, &self.data, &self.servers);
    }

    /// Takes the machine's power away.
    pub(crate) fn die(&mut self) {
        self.machine.die();
        self.agent.wait().unwrap();
    }

    /// Gives it power again: its agent starts with what is on its disk.
    pub(crate) fn boot(&mut self) {
        self.machine.boot();
        self.start_agent();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        let place = self.machine.place();
        let mut stop = place.command(&binary("paasd"));
        let stopped = place.output(stop.args(["stop", "--data-dir"]).arg(&self.data));
        if std::thread::panicking() {
            eprintln!("--- the log of the agent on {}\n{}", self.name(), self.log());
            eprintln!("--- stop: {stopped:?}");
        }
    }
}

fn spawn(machine: &Machine, data: &std::path::Path, servers: &[String]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
    let place = machine.place();
    let mut command = place.command(&binary("paasd"));
    command.args(["agent", "--server", &servers.join(","), "--name", &machine.name, "--entry-port", ENTRY]);
    // A Docker Engine is on another network than this machine.
    command.args(["--engine", "sandbox"]);
    command.arg("--address").arg(machine.address(Side::Users).to_string());
    command.arg("--join-token").arg(data.with_extension("token")).arg("--data-dir").arg(data);
    place.spawn(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log)).unwrap()
}
