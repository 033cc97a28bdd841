//! A gate at which what an app runs waits until a test lets it through, whichever engine runs it.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};

/// Listens on all addresses of this host: the loopback of a container is its own.
pub(crate) struct Gate(TcpListener);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap())
    }

    /// Returns the words of a shell that wait at the gate.
    pub(crate) fn wait_here(&self) -> String {
        format!("read -r < /dev/tcp/{}/{}", address(), self.0.local_addr().unwrap().port())
    }

    /// Waits until somebody is at the gate.
    pub(crate) fn visitor(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }

    /// Lets the next one through.
    pub(crate) fn open(&self) {
        self.visitor().write_all(b"go\n").unwrap();
    }
}

/// Returns an address of this host that containers reach, too. Nothing is sent to find it.
fn address() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let routed = socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr());
    routed.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}
