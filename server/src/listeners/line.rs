//! A server's line to the keeper of its sockets. That it is open is how the keeper knows that a server is there.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::packet::{self, Packet};
use super::place;
use crate::child::own_program;

/// How long the keeper may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// An open line.
pub(super) struct Line(OwnedFd);

impl Line {
    /// Calls the keeper of the directory. Returns the line and the sockets it keeps, or none when there is no keeper.
    pub(super) fn call(run_dir: &Path) -> io::Result<Option<(Self, Vec<TcpListener>)>> {
        let Some(line) = place::call(run_dir)? else { return Ok(None) };
        sockopt::set_socket_timeout(&line, sockopt::Timeout::Recv, Some(ANSWER))?;
        sockopt::set_socket_timeout(&line, sockopt::Timeout::Send, Some(ANSWER))?;
        let mut sockets = Vec::new();
        loop {
            match packet::receive(&line)? {
                Some(Packet::Sockets(some)) => sockets.extend(some.into_iter().map(TcpListener::from)),
                Some(Packet::All) => return Ok(Some((Self(line), sockets))),
                // It was about to end.
                None | Some(Packet::End) => return Ok(None),
            }
        }
    }

    /// Starts a keeper for the directory.
    pub(super) fn start_keeper(run_dir: &Path) -> io::Result<Self> {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&near, sockopt::Timeout::Send, Some(ANSWER))?;
        // Nothing of the server's environment is the keeper's business. It is no child that anybody waits for:
        // tokio clears away what is left of it.
        tokio::process::Command::new(own_program()?)
            .arg("keep-sockets")
            .arg(run_dir)
            .env_clear()
            .current_dir("/")
            .stdin(far)
            .stdout(Stdio::null())
            .stderr(File::create(run_dir.join("keeper.log"))?)
            .spawn()?;
        Ok(Self(near))
    }

    /// Gives the keeper sockets, in place of those it has.
    pub(super) fn give(&self, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        packet::send_all(&self.0, sockets)
    }

    /// Tells the keeper to end.
    pub(super) fn end(self) {
        // It may have ended by itself.
        let _ = packet::send_end(&self.0);
    }

    /// Returns when the keeper has ended; it says nothing else.
    pub(super) async fn ended(&self) {
        if self.is_readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn is_readable(&self) -> io::Result<()> {
        let line = UnixStream::from(self.0.try_clone()?);
        line.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(line)?.readable().await
    }
}
