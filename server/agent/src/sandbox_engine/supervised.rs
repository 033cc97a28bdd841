//! A hold on a supervisor process that cannot slip to another process.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::bail;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process_identity::start_ticks;
use crate::replica_dir::ReplicaDir;

/// How long a supervisor that just started may take to say who it is, and a killed one to go.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two looks where the kernel cannot wake us.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A supervisor process.
#[derive(Debug)]
pub(super) struct Supervised {
    pid: Pid,
    handle: OwnedFd,
}

impl Supervised {
    /// Takes hold of a process that is known to be ours: a child that nobody has waited for.
    pub(super) fn of_child(pid: Pid) -> std::io::Result<Self> {
        Ok(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty())? })
    }

    pub(super) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { pid: self.pid, handle: self.handle.try_clone()? })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal; one that is gone needs none.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(self, dir: &ReplicaDir) {
        #[expect(deprecated, reason = "only a descriptor that is not owned would be unsound")]
        let handle = self.handle.try_clone().and_then(|fd| AsyncFd::with_interest(fd, Interest::READABLE));
        match handle {
            Ok(handle) => {
                let _ = handle.readable().await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot wait for a process by its descriptor");
                unheld(dir).await;
            }
        }
        self.collect();
    }

    /// Waits a bounded time for the end of a process that was killed. Blocks.
    pub(super) fn reap(&self) {
        let time = Timespec::try_from(PATIENCE).ok();
        let _ = poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], time.as_ref());
        self.collect();
    }

    /// Frees the process id of a child that ended; one that an earlier agent started is not ours to collect.
    fn collect(&self) {
        let _ = waitid(WaitId::PidFd(self.handle.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Takes hold of the supervisor that holds a directory. Blocks for a bounded time while it starts.
pub(super) fn adopt(dir: &ReplicaDir) -> Option<Supervised> {
    let deadline = Instant::now() + PATIENCE;
    while dir.is_held() {
        if let Some(run) = dir.run() {
            let pid = Pid::from_raw(run.pid)?;
            let supervised = Supervised::of_child(pid).ok();
            // The handle came first, so the start time is of the very process that the handle is for.
            if let Some(supervised) = supervised.filter(|_| start_ticks(pid) == Some(run.start_ticks)) {
                return Some(supervised);
            }
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    None
}

/// Waits until no supervisor holds the directory.
pub(super) async fn unheld(dir: &ReplicaDir) {
    while dir.is_held() {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Waits a bounded time until no supervisor holds the directory. Blocks.
pub(super) fn wait_until_unheld(dir: &ReplicaDir) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while dir.is_held() {
        if Instant::now() > deadline {
            bail!("a supervisor does not end");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}
