//! Carries a sandbox out: makes its cgroup and files and returns a command to spawn.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::{Arguments, Cgroup, HostFacts, Sandbox, SandboxError, etc, seccomp};

impl Sandbox {
    /// Makes what the sandbox needs on the host and returns the command that runs it.
    ///
    /// The program's standard input is empty; that of the command is what bubblewrap reads, and only once: the command is
    /// spawned once. Output goes where the caller says, by default where the caller's own
    /// goes. For pipes use [`log_pipe`](crate::log_pipe). The sandbox dies with the *thread* that
    /// spawns it: spawn from one that lives as long, or wait on it there. `tokio::process::Command`
    /// takes it by `From`.
    pub fn command(&self, host: &HostFacts) -> Result<Command, SandboxError> {
        etc::prepare(host, self.identity)?;
        if let Some(name) = &self.cgroup {
            Cgroup::create(&host.cgroups, name, &self.limits)?;
        }
        let filters = match host.unfiltered {
            Some(_) => Vec::new(),
            None => seccomp::prepare(&host.generated)?,
        };
        let Arguments { line, input } = self.arguments(host, &filters);
        let (program, arguments) = line.split_first().expect("the list starts with a program");
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment.wrapped());
        command.stdin(Stdio::from(in_memory(&input)?)).current_dir("/");
        Ok(command)
    }
}

/// Returns a file without a name that holds this and is read from its beginning.
fn in_memory(bytes: &[u8]) -> Result<File, SandboxError> {
    let made = || {
        let mut file = File::from(memfd_create("sandbox", MemfdFlags::CLOEXEC)?);
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    };
    made().map_err(SandboxError::file("write", Path::new("a file in memory")))
}
