//! The daemon behind the local socket: every question to it has a time limit, and its silence is a sentence.

use std::future::Future;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use rustix::net::sockopt::socket_peercred;

/// Where the daemon listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// How long a question may take that costs the daemon nothing.
pub(crate) const QUICK: Duration = Duration::from_secs(10);
/// How long making, starting or removing a container may take; a disk under load is slow.
pub(crate) const CHANGE: Duration = Duration::from_secs(60);
/// How long a request may be without an answer whatever it is, in seconds.
const SILENCE: u64 = 120;

/// Why the daemon did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Nobody answers.
    #[error("the Docker Engine does not answer at {socket}: {why}; is it running?")]
    Down {
        /// The path of its socket.
        socket: String,
        /// What the system says.
        why: String,
    },
    /// It is there and took too long.
    #[error("the Docker Engine took longer than {} s to {what}", within.as_secs())]
    Late {
        /// What it was asked to do.
        what: &'static str,
        /// The limit.
        within: Duration,
    },
    /// What was asked for is not there.
    #[error("the Docker Engine has no such thing: {0}")]
    Missing(String),
    /// It is in a state that does not allow this.
    #[error("the Docker Engine refuses: {0}")]
    Conflict(String),
    /// Anything else, in its own words.
    #[error("the Docker Engine could not {what}: {why}")]
    Failed {
        /// What it was asked to do.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

impl DaemonError {
    /// Tells whether nothing is known because the daemon did not answer, or not in time.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Late { .. })
    }
}

/// A connection to the Docker Engine of this host.
#[derive(Clone, Debug)]
pub struct Daemon {
    found: Arc<OnceLock<Docker>>,
    /// What is asked while there is no socket: nobody answers.
    absent: Docker,
    socket: String,
}

impl Daemon {
    /// Connects by the local socket and asks whether somebody is there.
    ///
    /// # Errors
    /// `DOCKER_HOST` names no local socket; nobody answers there.
    pub async fn connect() -> Result<Self, DaemonError> {
        let daemon = Self::at(&socket()?)?;
        daemon.ask("tell its version", QUICK, daemon.docker().version()).await?;
        Ok(daemon)
    }

    /// Returns the daemon at the local socket without asking it anything, so that it may come later.
    ///
    /// # Errors
    /// `DOCKER_HOST` names no local socket.
    pub fn local() -> Result<Self, DaemonError> {
        Self::at(&socket()?)
    }

    /// Returns the daemon behind a socket of this host without asking it anything, so that it may come later.
    ///
    /// # Errors
    /// No client can be made.
    pub fn at(socket: &Path) -> Result<Self, DaemonError> {
        let name = socket.display().to_string();
        let down = |error: Error| DaemonError::Down { socket: name.clone(), why: error.to_string() };
        // The library wants a file that exists; one that is no socket refuses every connection.
        let absent = client("/dev/null").map_err(down)?;
        Ok(Self { found: Arc::default(), absent, socket: name })
    }

    /// Tells whether the daemon has the network that this process has: only then its containers are in reach. Where that
    /// cannot be seen, it has.
    #[must_use]
    pub fn shares_network(&self) -> bool {
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let daemon = UnixStream::connect(&self.socket).ok().and_then(|socket| socket_peercred(&socket).ok());
        let daemon = daemon.and_then(|peer| namespace(&peer.pid.as_raw_nonzero().to_string()));
        daemon.is_none_or(|daemon| Some(daemon) == namespace("self"))
    }

    pub(crate) fn docker(&self) -> &Docker {
        if self.found.get().is_none()
            && let Ok(docker) = client(&self.socket)
        {
            let _ = self.found.set(docker);
        }
        self.found.get().unwrap_or(&self.absent)
    }

    /// Waits for an answer within a limit.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        within: Duration,
        question: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, DaemonError> {
        match tokio::time::timeout(within, question).await {
            Err(_) => Err(DaemonError::Late { what, within }),
            Ok(answer) => answer.map_err(|error| self.explain(what, error)),
        }
    }

    pub(crate) fn explain(&self, what: &'static str, error: Error) -> DaemonError {
        match error {
            Error::DockerResponseServerError { status_code: 404, message } => DaemonError::Missing(message),
            Error::DockerResponseServerError { status_code: 403 | 409, message } => {
                DaemonError::Conflict(message)
            }
            Error::DockerResponseServerError { message, .. } => DaemonError::Failed { what, why: message },
            Error::RequestTimeoutError => DaemonError::Late { what, within: Duration::from_secs(SILENCE) },
            Error::DockerStreamError { error } => DaemonError::Failed { what, why: error },
            error => DaemonError::Down { socket: self.socket.clone(), why: chain(&error) },
        }
    }
}

fn client(socket: &str) -> Result<Docker, Error> {
    // The version of the interface is 1.41, which Docker Engine 20.10 speaks and every later one understands.
    let version = bollard::ClientVersion { major_version: 1, minor_version: 41 };
    Docker::connect_with_unix(socket, SILENCE, &version)
}

/// Returns an error with its causes, without saying a thing twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

fn socket() -> Result<PathBuf, DaemonError> {
    let Ok(host) = std::env::var("DOCKER_HOST") else { return Ok(PathBuf::from(SOCKET)) };
    match host.strip_prefix("unix://").map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path),
        // Trees of slugs are bound into containers, so that the daemon must be of this host.
        _ => Err(DaemonError::Down { socket: host, why: "only a local socket can be used".to_owned() }),
    }
}

impl From<DaemonError> for agent::EngineError {
    fn from(error: DaemonError) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_without_a_socket_is_away_and_not_an_error_before_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::at(&dir.path().join("docker.sock")).unwrap();
        let asked = daemon.ask("tell its version", QUICK, daemon.docker().version()).await;
        assert!(asked.is_err_and(|error| error.is_silence() && error.to_string().contains("docker.sock")));
        // It comes: something listens there now, though nothing that speaks.
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        assert!(!std::ptr::eq(daemon.docker(), &raw const daemon.absent));
    }
}
