//! A machine that boots: its user data has written a file, and the agent starts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::desk::{Desk, SECRET};
use crate::metadata::MetadataService;
use crate::until;

/// A machine with an agent on it. Dropped, it is stopped.
pub(crate) struct Machine {
    dir: TempDir,
    config: String,
    agent: Option<Child>,
}

impl Machine {
    /// Boots one.
    pub(crate) fn boot(desk: &Desk, metadata: &MetadataService) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let config = format!(
            "server = [\"https://{}\"]\nauthority = \"\"\"\n{}\"\"\"\nlaunch-secret = \"{SECRET}\"\ndata-dir = \"{}\"\n\
             metadata = \"http://{}\"\nengine = \"sandbox\"\nentry-port = 0\naddress = \"127.0.0.1\"\n",
            desk.address,
            desk.authority,
            at("data").display(),
            metadata.address,
        );
        let mut machine = Self { dir, config, agent: None };
        machine.write_options();
        machine.start();
        machine
    }

    /// Writes what the user data wrote.
    pub(crate) fn write_options(&self) {
        fs::write(self.at("agent.toml"), &self.config).unwrap();
        fs::set_permissions(self.at("agent.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Starts the agent, told the same each time.
    pub(crate) fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.at("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasd"));
        command.args(["agent", "--config"]).arg(self.at("agent.toml")).stdin(Stdio::null());
        self.agent = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Ends the agent as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            agent.wait().unwrap();
        }
    }

    /// Waits until the agent has ended by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        until("the agent to end", || self.agent.as_mut().unwrap().try_wait().unwrap())
    }

    pub(crate) fn wait_for_log(&self, text: &str, times: usize) {
        until(&format!("`{text}` in the agent's log"), || {
            (self.log().matches(text).count() >= times).then_some(())
        });
    }

    /// Tells whether what lets it join is still there.
    pub(crate) fn has_secret(&self) -> bool {
        fs::read_to_string(self.at("agent.toml")).unwrap().contains(SECRET)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        let stop = Command::new(env!("CARGO_BIN_EXE_paasd"))
            .args(["stop", "--data-dir"])
            .arg(self.at("data"))
            .output();
        if std::thread::panicking() {
            eprintln!("--- the agent's log\n{}\n--- stop: {stop:?}", self.log());
        }
    }
}
