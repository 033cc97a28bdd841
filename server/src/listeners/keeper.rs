//! `paasd keep-sockets`: a process that holds duplicates of a server's listening sockets and gives them to the next
//! server of the same data directory. It accepts nothing: while no server runs, connections wait in the kernel's queue.
//! It ends when nobody came back in time, so that clients are refused rather than kept waiting.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, accept_with, sockopt};

use super::packet::{self, Packet};
use super::place;

/// How long sockets are kept when no server is there.
const ALONE: Duration = Duration::from_secs(30);

/// Most servers on the line: one, one that comes, one that goes, and some that failed to start.
const LINES_MAX: usize = 16;

/// How long a server may take to say or hear something it has begun to.
const TALK: Duration = Duration::from_secs(5);

/// A server that is connected, and the sockets it is about to hand over.
struct Line {
    server: OwnedFd,
    arriving: Vec<OwnedFd>,
}

struct Keeper {
    entrance: OwnedFd,
    lines: Vec<Line>,
    kept: Vec<OwnedFd>,
    alone_since: Option<Instant>,
}

/// Keeps the sockets of the server that is connected to standard input, for those that come to the socket in the
/// directory. Returns the process's exit code.
#[must_use]
pub fn main(run_dir: &Path) -> ExitCode {
    // Out of the server's session, so that nothing ends both together.
    let _ = rustix::process::setsid();
    match Keeper::start(run_dir).and_then(Keeper::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is a file for just this.
            let _ = writeln!(io::stderr(), "the keeper of the sockets ended: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Keeper {
    fn start(run_dir: &Path) -> io::Result<Self> {
        let server = io::stdin().as_fd().try_clone_to_owned()?;
        patience(&server)?;
        let entrance = place::listen(run_dir)?;
        let lines = vec![Line { server, arriving: Vec::new() }];
        Ok(Self { entrance, lines, kept: Vec::new(), alone_since: None })
    }

    /// Runs until nobody wants the sockets any more.
    fn run(mut self) -> io::Result<()> {
        loop {
            let wait = self.alone_since.map(|since| ALONE.saturating_sub(since.elapsed()));
            if wait.is_some_and(|wait| wait.is_zero()) {
                return Ok(());
            }
            for ready in self.ready(wait)?.into_iter().rev() {
                match ready.checked_sub(1) {
                    None => self.welcome(),
                    Some(line) if self.hear(line) => return Ok(()),
                    Some(_) => {}
                }
            }
            self.alone_since = match self.alone_since {
                _ if !self.lines.is_empty() => None,
                None => Some(Instant::now()),
                since => since,
            };
        }
    }

    /// Waits, and returns what has something to say: 0 for the entrance, the lines from 1.
    fn ready(&self, wait: Option<Duration>) -> io::Result<Vec<usize>> {
        let wait = wait.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        let all = std::iter::once(&self.entrance).chain(self.lines.iter().map(|line| &line.server));
        let mut all: Vec<_> = all.map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        match poll(&mut all, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok((0..all.len()).filter(|index| !all[*index].revents().is_empty()).collect())
    }

    /// Gives a server that came all sockets.
    fn welcome(&mut self) {
        let Ok(server) = accept_with(&self.entrance, SocketFlags::CLOEXEC) else { return };
        let ours = sockopt::socket_peercred(&server).is_ok_and(|peer| peer.uid == rustix::process::geteuid());
        let sockets: Vec<_> = self.kept.iter().map(AsFd::as_fd).collect();
        if ours
            && self.lines.len() < LINES_MAX
            && patience(&server).is_ok()
            && packet::send_all(&server, &sockets).is_ok()
        {
            self.lines.push(Line { server, arriving: Vec::new() });
        }
    }

    /// Hears what a server says; returns whether that is the end.
    fn hear(&mut self, index: usize) -> bool {
        let line = &mut self.lines[index];
        match packet::receive(&line.server) {
            Ok(Some(Packet::Sockets(some))) => line.arriving.extend(some),
            Ok(Some(Packet::All)) => self.kept = std::mem::take(&mut line.arriving),
            Ok(Some(Packet::End)) => return true,
            Ok(None) | Err(_) => {
                self.lines.remove(index);
            }
        }
        false
    }
}

fn patience(server: &OwnedFd) -> io::Result<()> {
    sockopt::set_socket_timeout(server, sockopt::Timeout::Recv, Some(TALK))?;
    Ok(sockopt::set_socket_timeout(server, sockopt::Timeout::Send, Some(TALK))?)
}
