//! A child process together with all that it starts: its own process group, which ends as a whole.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use crate::terminal::clean_line;

/// How long a process may take to clean up after itself once asked to end.
const GRACE: Duration = Duration::from_secs(5);

/// A running child that leads a process group.
pub(crate) struct Group {
    pub(crate) child: Child,
    group: Pid,
    exit: AsyncFd<OwnedFd>,
}

impl Group {
    /// Starts the command as the leader of a new group.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = id.ok_or_else(|| io::Error::other("the process has ended at once"))?;
        #[expect(
            deprecated,
            reason = "an `OwnedFd` keeps its descriptor, and the new constructor asks for unsafe"
        )]
        let exit = AsyncFd::new(pidfd_open(group, PidfdFlags::NONBLOCK)?)?;
        Ok(Self { child, group, exit })
    }

    /// Waits for the leader, ends what it left behind, and returns whether it succeeded.
    pub(crate) async fn wait(&mut self) -> io::Result<bool> {
        let _ready = self.exit.readable().await?;
        // Before the leader is reaped its number cannot belong to anybody else.
        let _ = kill_process_group(self.group, Signal::KILL);
        Ok(self.child.wait().await?.success())
    }

    /// Waits for the leader as `wait` does, hears what it says meanwhile, and returns its last words where it failed.
    pub(crate) async fn finish(&mut self) -> Result<(), String> {
        let mut words = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let mut beginning = stderr.take(16 << 10);
            let _ = beginning.read_to_end(&mut words).await;
            let _ = tokio::io::copy(&mut beginning.into_inner(), &mut tokio::io::sink()).await;
        }
        match self.wait().await {
            Ok(true) => Ok(()),
            _ => Err(last_words(&words)),
        }
    }

    /// Asks the group to end, insists after a grace period, and waits. git removes its quarantine and locks when asked.
    pub(crate) async fn terminate(&mut self) {
        let _ = kill_process_group(self.group, Signal::TERM);
        if tokio::time::timeout(GRACE, self.wait()).await.is_err() {
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = self.wait().await;
        }
    }
}

/// Returns the last thing that git said is wrong.
pub(crate) fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut told =
        text.lines().filter_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
    clean_line(told.next_back().unwrap_or("git gave no reason").as_bytes(), 500)
}
