//! The listening sockets of a server, which outlive it: they come from the keeper of its data directory, from the
//! service manager, or are made anew, and the keeper gets duplicates. So no connection is refused while one server
//! ends and the next one starts, however the first one ended.

mod keeper;
mod line;
mod packet;
mod place;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tracing::{info, warn};

use crate::options::Options;
use line::Line;

pub use keeper::main as keep;

/// How long at least a keeper is there before another is started: one that cannot even start, as on a full disk, is not
/// started over and over.
const KEEPER_LIFE: Duration = Duration::from_secs(5);

/// The sockets of a server that starts.
pub(crate) struct Listeners {
    /// Where the API and git are reached.
    pub(crate) api: TcpListener,
    /// Where visitors reach the apps.
    pub(crate) router: Vec<TcpListener>,
    /// Where they reach them over TLS, if they do.
    pub(crate) tls: Vec<TcpListener>,
    /// Holds duplicates of all of them, and the line to the keeper.
    pub(crate) kept: Kept,
}

/// The duplicates that the keeper has, too, and the line to it.
pub(crate) struct Kept {
    run_dir: PathBuf,
    sockets: Vec<TcpListener>,
    line: Option<Line>,
}

impl Listeners {
    /// Takes over the sockets that listen at the addresses of the options, and makes those that nobody kept.
    ///
    /// # Errors
    /// An address is taken by somebody else, or is not this machine's.
    pub(crate) fn open(options: &Options) -> anyhow::Result<Self> {
        let run_dir = options.own("run");
        let (line, mut found) = match Line::call(&run_dir) {
            Ok(Some((line, found))) => (Some(line), found),
            Ok(None) => (None, Vec::new()),
            Err(error) => {
                warn!(%error, "the keeper of the sockets does not answer");
                (None, Vec::new())
            }
        };
        found.extend(from_service_manager());
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let router = at(options.router_listen, &mut found, |address| router::bind(address, workers));
        let router = router.with_context(|| advice("--router-listen", options.router_listen))?;
        let tls = options.router_tls_listen.map(|address| {
            let sockets = at(address, &mut found, |address| router::bind(address, workers));
            sockets.with_context(|| advice("--router-tls-listen", address))
        });
        let tls = tls.transpose()?.unwrap_or_default();
        let api = at(options.listen, &mut found, |address| router::bind(address, 1));
        let api = api.with_context(|| advice("--listen", options.listen))?;
        let sockets =
            api.iter().chain(&router).chain(&tls).map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        let mut kept = Kept { run_dir, sockets, line };
        kept.hand_over();
        let api = api.into_iter().next().context("there is no socket for the API")?;
        Ok(Self { api, router, tls, kept })
    }
}

impl Kept {
    /// Watches over the keeper, and starts another if it ends, for as long as this is polled.
    pub(crate) async fn watch(mut self) {
        loop {
            let begun = Instant::now();
            match &self.line {
                Some(line) => line.ended().await,
                // Nothing can be done about a machine that starts no process; a restart will show.
                None => std::future::pending().await,
            }
            warn!("the keeper of the sockets ended; another is started");
            tokio::time::sleep(KEEPER_LIFE.saturating_sub(begun.elapsed())).await;
            self.line = None;
            self.hand_over();
        }
    }

    /// Gives the sockets to the keeper that is there, or to a new one.
    fn hand_over(&mut self) {
        let sockets: Vec<_> = self.sockets.iter().map(|socket| socket.as_fd()).collect();
        let told = match &self.line {
            Some(line) => line.give(&sockets),
            None => Err(io::Error::other("there is none yet")),
        };
        if told.is_ok() {
            return;
        }
        let line = Line::start_keeper(&self.run_dir).and_then(|line| line.give(&sockets).map(|()| line));
        self.line = match line {
            Ok(line) => Some(line),
            Err(error) => {
                warn!(%error, "no process keeps the sockets: a restart will refuse connections for a moment");
                None
            }
        };
    }
}

/// Lets the keeper of a directory know that a server is there for as long as what is returned is not dropped.
pub(crate) fn stay(run_dir: &Path) -> Option<impl Sized + use<>> {
    Line::call(run_dir).ok().flatten().map(|(line, _)| line)
}

/// Ends the keeper of a data directory: its server is not coming back.
pub(crate) fn give_up(options: &Options) {
    match Line::call(&options.own("run")) {
        Ok(Some((line, _))) => line.end(),
        Ok(None) => {}
        Err(error) => warn!(%error, "the keeper of the sockets does not answer; it ends by itself soon"),
    }
}

/// Takes those that listen at the address out of what was found, or binds new ones.
fn at(
    address: SocketAddr,
    found: &mut Vec<TcpListener>,
    bind: impl FnOnce(SocketAddr) -> io::Result<Vec<TcpListener>>,
) -> io::Result<Vec<TcpListener>> {
    let here = |socket: &mut TcpListener| socket.local_addr().is_ok_and(|local| local == address);
    let taken: Vec<_> = found.extract_if(.., here).collect();
    if taken.is_empty() {
        return bind(address);
    }
    for socket in &taken {
        socket.set_nonblocking(true)?;
    }
    info!("took over {} listening sockets at {address}", taken.len());
    Ok(taken)
}

/// Returns the sockets of `sd_listen_fds(3)`.
fn from_service_manager() -> Vec<TcpListener> {
    let mut given = listenfd::ListenFd::from_env();
    (0..given.len()).filter_map(|index| given.take_tcp_listener(index).ok().flatten()).collect()
}

fn advice(option: &str, address: SocketAddr) -> String {
    format!("cannot listen on {address}; another server may run there ({option} chooses another)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_at_the_address_are_taken_and_others_left() {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (one, other) = (bind(), bind());
        let (address, elsewhere) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        let mut found = vec![other, one];
        let none = |_| -> io::Result<Vec<TcpListener>> { Err(io::Error::other("not to be bound")) };
        assert_eq!(at(address, &mut found, none).unwrap()[0].local_addr().unwrap(), address);
        assert_eq!(found[0].local_addr().unwrap(), elsewhere);
        assert!(at(address, &mut found, none).is_err(), "what was taken is gone");
    }
}
