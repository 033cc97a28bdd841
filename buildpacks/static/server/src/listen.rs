//! Opens the listening socket, on IPv4 and IPv6 at once where the machine has both.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on `host`; `::` falls back to `0.0.0.0` on a machine without IPv6.
///
/// # Errors
/// Fails if the address is taken or not of this machine.
pub(crate) fn listen(host: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    let socket = match open(SocketAddr::new(host, port)) {
        Err(_) if host.is_ipv6() && host.is_unspecified() => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        opened => opened,
    };
    let socket = socket.with_context(|| format!("could not listen on port {port} of {host}"))?;
    TcpListener::from_std(socket.into()).context("could not wait for connections")
}

fn open(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Connections have it from here. Without it a file waits for the other side to acknowledge its head, which takes 40 ms.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_send_without_delay() {
        let listener = listen(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let _visitor = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().await.unwrap().0.nodelay().unwrap());
    }
}
