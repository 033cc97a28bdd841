//! What a supervisor is told to run. It comes through a pipe, because it holds config.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sandbox::{Bind, Sandbox};
use serde::{Deserialize, Serialize};

use crate::run::Run;

/// Where Heroku's own scripts read how much memory there is.
const MEMORY_LIMIT_FILE: &str = "/sys/fs/cgroup/memory/memory.limit_in_bytes";

/// One run of a replica, and what its supervisor has to know beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// What runs.
    #[serde(flatten)]
    pub(crate) run: Run,
    /// The replica's directory.
    pub(crate) directory: PathBuf,
    /// The directory for small files that sandboxes share.
    pub(crate) generated: PathBuf,
    /// The app's log.
    pub(crate) log: PathBuf,
    /// The number of its release.
    pub(crate) release: u64,
    /// A file with the memory limit in bytes.
    pub(crate) memory_limit: PathBuf,
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
        let mut sandbox = self.run.into_sandbox()?;
        let limit = Bind { optional: true, ..Bind::read_only(self.memory_limit, MEMORY_LIMIT_FILE) };
        sandbox.binds.push(limit);
        sandbox.cgroup = Some(self.cgroup);
        Ok(sandbox)
    }
}
