//! Makes one listening socket per worker, so that the kernel deals connections out and no lock is shared.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many connections the system may accept ahead of us, per socket.
const BACKLOG: i32 = 4_096;

/// Binds `address` once for each of `count` workers.
///
/// # Errors
/// The address is taken, forbidden, or not this machine's.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // Sockets that share a port would let a second server take half of the first one's connections unnoticed; one
    // that does not share fails then.
    drop(socket(address, false)?);
    let first = socket(address, true)?;
    first.listen(BACKLOG)?;
    let first = TcpListener::from(first);
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let another = socket(bound, true)?;
        another.listen(BACKLOG)?;
        sockets.push(another.into());
    }
    Ok(sockets)
}

/// Deals `sockets` out to `count` workers, in turn; workers beyond their number share them.
pub(crate) fn deal(sockets: &[TcpListener], count: usize) -> io::Result<Vec<TcpListener>> {
    sockets
        .iter()
        .cycle()
        .take(if sockets.is_empty() { 0 } else { count.max(sockets.len()) })
        .map(|socket| {
            socket.set_nonblocking(true)?;
            socket.try_clone()
        })
        .collect()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_and_strangers_do_not() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn each_socket_and_each_worker_gets_its_share() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_eq!(deal(&sockets, 5).unwrap().len(), 5);
        assert_eq!(
            deal(&sockets, 1).unwrap().len(),
            2,
            "a socket without a worker would swallow connections"
        );
        assert!(deal(&[], 2).unwrap().is_empty());
    }
}
