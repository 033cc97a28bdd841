//! Addresses of this machine for tests that tell a server where to listen. Tests take this file in by its path.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as Name, UnixListener};
use std::sync::{Mutex, PoisonError};

/// How many ports there are for all tests that run at the same time.
const PORTS: u16 = 2_500;

/// Returns 127.0.0.1 with a port that nothing listens on. The port is this process's own until it ends: no other call returns it, in
/// whichever process, and the kernel gives it to no connection.
///
/// A port that the kernel chose (`:0`) is for a listener that keeps it. As soon as none listens, as when a server is started again,
/// the kernel may give it to a connection, and the next listener finds it in use.
///
/// # Panics
/// All are taken.
pub(crate) fn reserve() -> SocketAddr {
    static HOLDS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    // Each process begins elsewhere, so that who still calls a server of the one before does not reach one of this.
    let first = usize::try_from(std::process::id()).expect("a process id") % usize::from(PORTS);
    let mut turn = ports().cycle().skip(first).take(usize::from(PORTS));
    let (port, hold) = turn.find_map(|port| Some((port, hold(port)?))).expect("a port for tests is left");
    HOLDS.lock().unwrap_or_else(PoisonError::into_inner).push(hold);
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Returns the ports below those that the kernel gives to connections; of Linux as it comes, above those of replicas.
fn ports() -> Range<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first: Option<u16> = range.split_whitespace().next().and_then(|first| first.parse().ok());
    // A kernel that gives away nearly all leaves nothing that is better than the usual ones.
    let end = first.filter(|first| *first > 2 * PORTS).unwrap_or(32_768);
    end - PORTS..end
}

/// Holds a port that nobody holds and nothing listens on.
fn hold(port: u16) -> Option<UnixListener> {
    // A name that is no file is as wide as ports are, the network of this process, and is given up when the process ends.
    let name = Name::from_abstract_name(format!("paas-test-port-{port}")).ok()?;
    let hold = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok().then_some(hold)
}
