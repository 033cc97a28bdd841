//! Waits for the end of a sandbox, and carries out the wish to end it: SIGTERM asks the program to end and gives it
//! time.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sandbox::Signal;
use signal_hook::consts::SIGTERM;

/// How often the end is looked for when the kernel cannot wake us.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The wishes that were sent to this process as signals.
pub(crate) struct Wishes {
    end: UnixStream,
}

impl Wishes {
    /// Begins to take signals.
    pub(crate) fn listen() -> io::Result<Self> {
        let (end, writer) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGTERM, writer)?;
        Ok(Self { end })
    }

    /// Waits until the sandbox has ended, ending it when asked to; returns its status and whether it was killed here.
    pub(crate) fn follow(mut self, child: &mut Child, stop_time: Duration) -> (Option<ExitStatus>, bool) {
        let pid = Pid::from_child(child);
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok();
        let (mut kill_at, mut killed) = (None, false);
        loop {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return (Some(status), killed),
                Err(_) => return (None, killed),
            }
            if taken(&mut self.end) && kill_at.is_none() && !killed {
                kill_at = Some(Instant::now() + stop_time);
                end(pid);
            }
            if kill_at.is_some_and(|at| at <= Instant::now()) {
                (kill_at, killed) = (None, true);
                kill(child, pid);
            }
            let left = kill_at.map(|at| at.saturating_duration_since(Instant::now()));
            self.wait(handle.as_ref(), left);
        }
    }

    fn wait(&self, handle: Option<&OwnedFd>, left: Option<Duration>) {
        let mut on = vec![PollFd::new(&self.end, PollFlags::IN)];
        on.extend(handle.map(|handle| PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)));
        let time = match (left, handle) {
            // Rounded up, so that the deadline has passed when it ends.
            (Some(left), Some(_)) => Some(left + Duration::from_millis(1)),
            (left, None) => Some(left.unwrap_or(LOOK_AGAIN).min(Duration::from_millis(100))),
            (None, Some(_)) => None,
        };
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        // Interrupted or not, the caller looks at everything anew.
        let _ = poll(&mut on, time.as_ref());
    }
}

/// Tells whether a signal came since the last look.
fn taken(stream: &mut UnixStream) -> bool {
    stream.read(&mut [0; 64]).is_ok_and(|read| read > 0)
}

fn end(pid: Pid) {
    let init = sandbox::init_of(pid);
    let told = init.map_or(0, |init| sandbox::signal_all(init, Signal::TERM));
    if told > 0 {
        return;
    }
    // There is no program inside yet that could want the time or hear of it. Process 1 inside ignores SIGTERM, and does
    // not go with its parent yet.
    let _ = rustix::process::kill_process(pid, Signal::TERM);
    if let Some(init) = init {
        let _ = rustix::process::kill_process(init, Signal::KILL);
    }
}

fn kill(child: &mut Child, pid: Pid) {
    // The kernel ends all of a pid namespace with its first process, and bubblewrap after it.
    if let Some(init) = sandbox::init_of(pid) {
        let _ = rustix::process::kill_process(init, Signal::KILL);
    } else {
        let _ = child.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_sandbox_that_has_no_program_yet_is_ended_at_once() {
        // Bubblewrap waits for its standard input before it starts the program.
        let mut bubblewrap = Command::new("bwrap");
        bubblewrap.args(["--unshare-user", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/"]);
        bubblewrap.args(["--block-fd", "0", "sleep", "1000"]).stdin(Stdio::piped());
        let mut child = bubblewrap.spawn().unwrap();
        let pid = Pid::from_child(&child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while sandbox::init_of(pid).is_none() {
            assert!(Instant::now() < deadline, "it does not come up");
            std::thread::yield_now();
        }
        let (end, mut writer) = UnixStream::pair().unwrap();
        end.set_nonblocking(true).unwrap();
        writer.write_all(b"1").unwrap();
        let (status, killed) = Wishes { end }.follow(&mut child, Duration::from_secs(1000));
        assert_eq!((status.unwrap().signal(), killed), (Some(SIGTERM), false));
    }
}
