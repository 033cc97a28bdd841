//! What a supervisor is told to run. It comes through a pipe, because it holds config.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use model::config::ConfigValue;
use sandbox::{Bind, Environment, Identity, Limits, Sandbox};
use serde::{Deserialize, Serialize};

/// Most processes and threads of a replica.
const PIDS: u32 = 1024;

/// Where Heroku's own scripts read how much memory there is.
const MEMORY_LIMIT_FILE: &str = "/sys/fs/cgroup/memory/memory.limit_in_bytes";

/// One run of a replica.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// The replica's directory.
    pub(crate) directory: PathBuf,
    /// The directory for small files that sandboxes share.
    pub(crate) generated: PathBuf,
    /// The app's log.
    pub(crate) log: PathBuf,
    /// The replica's name, `web.1`.
    pub(crate) name: String,
    /// The number of its release.
    pub(crate) release: u64,
    /// The user and group of the app.
    pub(crate) uid: u32,
    /// The writable copy of the slug that becomes `/app`.
    pub(crate) app: PathBuf,
    /// A file with the memory limit in bytes.
    pub(crate) memory_limit: PathBuf,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// The variables beside the stack's, in order; a later one overrules an earlier one.
    pub(crate) variables: Vec<(String, ConfigValue)>,
    /// The memory limit in MB of 2^20 bytes.
    pub(crate) memory_mb: u64,
    /// The share of the processor under contention.
    pub(crate) cpu_shares: u64,
    /// The name of its cgroup.
    pub(crate) cgroup: String,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub(crate) stop_seconds: u32,
    /// It must not run a second time, not even after a loss of power.
    pub(crate) once: bool,
}

impl Order {
    /// Reads an order to the end of the pipe.
    pub(crate) fn read(pipe: impl Read) -> Result<Self> {
        // The error tells a place in the order and never its content.
        serde_json::from_reader(pipe).context("the order on standard input is not whole")
    }

    /// Returns the sandbox that was ordered.
    pub(crate) fn into_sandbox(self) -> Result<Sandbox> {
        let identity = Identity::new(self.uid, self.uid).context("a replica never runs as root")?;
        let mut environment = Environment::base();
        for (name, value) in &self.variables {
            environment.set(name, OsStr::from_bytes(value.reveal()))?;
        }
        let binds = vec![
            Bind::read_write(self.app, "/app"),
            Bind { optional: true, ..Bind::read_only(self.memory_limit, MEMORY_LIMIT_FILE) },
        ];
        let limits = Limits {
            memory_bytes: Some(self.memory_mb << 20),
            cpu_shares: Some(u32::try_from(self.cpu_shares).unwrap_or(u32::MAX)),
            pids: Some(PIDS),
            ..Limits::default()
        };
        Ok(Sandbox {
            binds,
            workdir: PathBuf::from("/app"),
            environment,
            hostname: Some(self.name.replace('_', "-")),
            limits,
            cgroup: Some(self.cgroup),
            ..Sandbox::new(identity, self.command)
        })
    }
}
