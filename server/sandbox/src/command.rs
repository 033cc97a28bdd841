//! Carries a sandbox out: makes its cgroup and files and returns a command to spawn.

use std::process::{Command, Stdio};

use crate::{Cgroup, HostFacts, Sandbox, SandboxError, etc, seccomp};

impl Sandbox {
    /// Makes what the sandbox needs on the host and returns the command that runs it.
    ///
    /// Standard input is empty; output goes where the caller says, by default where the caller's own
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
        let mut arguments = self.arguments(host, &filters).into_iter();
        let program = arguments.next().expect("the list starts with a program");
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment.wrapped());
        command.stdin(Stdio::null()).current_dir("/");
        Ok(command)
    }
}
