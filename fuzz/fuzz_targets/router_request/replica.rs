//! A replica that reads as strictly as a server can, and holds against the router whatever is no request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use router::Backend;

use crate::wire::{self, Request};

/// A replica, and how many requests began to come to it.
pub(crate) struct Replica {
    address: SocketAddr,
    begun: Arc<AtomicU64>,
}

impl Replica {
    /// Listens, and serves each connection on a thread.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let begun = Arc::<AtomicU64>::default();
        let count = Arc::clone(&begun);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || serve(socket, &count));
            }
        });
        Self { address, begun }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Panics if more requests came than the router says that it sent.
    pub(crate) fn check(&self, backend: &Backend) {
        // In this order: what comes between the two was counted before it was sent.
        let (begun, counted) = (self.begun.load(SeqCst), backend.requests());
        assert!(begun <= counted, "{begun} requests came, the router sent {counted}");
    }
}

fn serve(mut socket: TcpStream, begun: &AtomicU64) {
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("the socket is open");
    let (mut unread, mut piece, mut counted) = (Vec::new(), [0; 4096], false);
    loop {
        if !unread.is_empty() && !counted {
            counted = true;
            begun.fetch_add(1, SeqCst);
        }
        match wire::request(&unread) {
            Request::Part => match socket.read(&mut piece) {
                Ok(read @ 1..) => unread.extend(&piece[..read]),
                _ => return,
            },
            Request::Whole { length, switches, head } => {
                unread.drain(..length);
                counted = false;
                if socket.write_all(answer(switches, head)).is_err() {
                    return;
                }
                if switches {
                    return echo(socket, &unread);
                }
            }
            Request::Odd(why) => panic!("the router sent {why}: {:?}", String::from_utf8_lossy(&unread)),
        }
    }
}

fn answer(switches: bool, head: bool) -> &'static [u8] {
    match (switches, head) {
        (true, _) => b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        (_, true) => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
        _ => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine",
    }
}

/// Another protocol: what it means is not the router's business.
fn echo(mut socket: TcpStream, begun: &[u8]) {
    let mut piece = [0; 4096];
    let mut said = socket.write_all(begun);
    while let (Ok(()), Ok(read @ 1..)) = (said, socket.read(&mut piece)) {
        said = socket.write_all(&piece[..read]);
    }
}
