//! Runs one sandboxed program of a build to its end: its output into the log, its limits, its cancel.
//!
//! Nothing of it outlives the call: the process namespace and the cgroup are gone when it returns.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fail_point::Step;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sandbox::{Cgroup, HostFacts, Sandbox, log_pipe};
use tokio_util::sync::CancellationToken;

use crate::BuildLog;
use crate::containers::{Attendant, Containers, Ran};
use crate::space::{Shortage, Space};

/// How often cancel, deadline and disk are looked at; output and the end are noticed at once.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// What a build watches while it runs a program.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) host: &'a HostFacts,
    /// Where programs run if not under bubblewrap.
    pub(crate) containers: Option<&'a dyn Containers>,
    pub(crate) log: &'a BuildLog,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) deadline: Instant,
    pub(crate) space: Space,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this status; 128 and more stand for signals.
    Exited(i32),
    /// The memory limit ended it or one of its processes, and it failed.
    OutOfMemory,
    /// At the deadline.
    TimedOut,
    /// By a user.
    Cancelled,
    /// For want of disk.
    Disk(Shortage),
}

impl Watch<'_> {
    /// Runs the program and blocks until it and all its children are gone.
    ///
    /// Must be called from a thread that lives as long: the sandbox dies with it.
    pub(crate) fn run(&mut self, sandbox: &Sandbox) -> anyhow::Result<End> {
        if let Some(containers) = self.containers {
            return self.run_in(containers, sandbox);
        }
        let (reader, writer) = log_pipe(self.host.privilege, sandbox.identity)?;
        let mut command = sandbox.command(self.host)?;
        let errors = writer.try_clone().context("cannot make a second end of a pipe")?;
        let child = command.stdout(writer).stderr(errors).spawn().context("cannot start a sandbox")?;
        // The writing ends that it holds would keep the pipe open.
        drop(command);
        let group =
            sandbox.cgroup.as_deref().map(|name| Cgroup::named(&self.host.cgroups, name)).transpose()?;
        let mut running = Running { child, reader: File::from(reader), group };
        fail_point::reach(Step::BuildCompiling);
        let outcome = self.attend(&mut running);
        let status = running.finish(outcome.is_err() || matches!(outcome, Ok(Some(_))))?;
        if let Some(end) = outcome? {
            return Ok(end);
        }
        Ok(running.judge(status))
    }

    fn run_in(&mut self, containers: &dyn Containers, sandbox: &Sandbox) -> anyhow::Result<End> {
        Ok(match self.attended(|attendant| containers.run(sandbox, attendant))? {
            (Some(end), _) => end,
            (None, Ran::Exited(status)) => End::Exited(status),
            (None, Ran::OutOfMemory) => End::OutOfMemory,
            (None, Ran::Stopped) => anyhow::bail!("a container was ended, and nobody asked for it"),
        })
    }

    /// Has something run in containers that has to end when the build has to, and returns why it had to and what became of it.
    pub(crate) fn attended<T>(
        &mut self,
        run: impl FnOnce(&mut dyn Attendant) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Option<End>, T)> {
        let mut attending = Attending { watch: self, end: None };
        let became = run(&mut attending)?;
        Ok((attending.end, became))
    }

    /// Passes output on until the program ends (nothing) or has to be ended.
    fn attend(&mut self, running: &mut Running) -> anyhow::Result<Option<End>> {
        let pid = Pid::from_child(&running.child);
        let process = pidfd_open(pid, PidfdFlags::empty()).context("cannot watch a sandbox")?;
        rustix::io::ioctl_fionbio(&running.reader, true).context("cannot set up a pipe")?;
        let mut open = true;
        loop {
            let ended = wait(open.then_some(running.reader.as_fd()), &process)?;
            open = open && self.pass_on(&mut running.reader)?;
            if ended {
                return Ok(None);
            }
            if let Some(end) = self.reason_to_end() {
                return Ok(Some(end));
            }
        }
    }

    fn reason_to_end(&mut self) -> Option<End> {
        if self.cancel.is_cancelled() {
            return Some(End::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Some(End::TimedOut);
        }
        self.space.look().map(End::Disk)
    }

    /// Passes on what there is; returns whether more may come.
    fn pass_on(&self, reader: &mut File) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        // A program that writes without pause must not keep its limits from being looked at.
        for _ in 0..16 {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.log.output(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Returns how much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Attends to a program in a container.
struct Attending<'a, 'b> {
    watch: &'a mut Watch<'b>,
    end: Option<End>,
}

impl Attendant for Attending<'_, '_> {
    fn output(&mut self, bytes: &[u8]) {
        self.watch.log.output(bytes);
    }

    fn has_to_end(&mut self) -> bool {
        self.end = self.end.or_else(|| self.watch.reason_to_end());
        self.end.is_some()
    }
}

/// Waits for output or the end, a tick at most; returns whether it is the end.
fn wait(reader: Option<BorrowedFd<'_>>, process: &OwnedFd) -> io::Result<bool> {
    let mut fds = vec![PollFd::new(process, PollFlags::IN)];
    fds.extend(reader.map(|reader| PollFd::from_borrowed_fd(reader, PollFlags::IN)));
    match poll(&mut fds, Some(&TICK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(error) => Err(error.into()),
    }
}

struct Running {
    child: Child,
    reader: File,
    group: Option<Cgroup>,
}

impl Running {
    /// Ends what still runs and waits for it.
    fn finish(&mut self, kill: bool) -> anyhow::Result<ExitStatus> {
        if kill {
            // Bubblewrap's death takes its process namespace along.
            self.child.kill().context("cannot end a sandbox")?;
        }
        let status = self.child.wait().context("cannot wait for a sandbox")?;
        if let Some(group) = &self.group {
            group.kill()?;
        }
        Ok(status)
    }

    fn judge(&self, status: ExitStatus) -> End {
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let kills = self.group.as_ref().and_then(|group| group.usage().oom_kills).unwrap_or(0);
        if code != 0 && kills > 0 { End::OutOfMemory } else { End::Exited(code) }
    }
}
