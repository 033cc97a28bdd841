//! A line to a server that is slow, breaks in the middle, or has somebody else answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is wrong with the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each answer comes half a second late.
    Slow,
    /// So many connections get 503 `SlowDown`.
    Busy(usize),
    /// So many answers break in the middle.
    CutAnswers(usize),
    /// So many requests break in the middle.
    CutRequests(usize),
    /// Every connection gets 403.
    Refused,
}

/// The line.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    fault: Mutex<Fault>,
    done: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Line {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            server,
            fault: Mutex::new(Fault::None),
            done: AtomicUsize::new(0),
            open: Mutex::default(),
        };
        let state = Arc::new(state);
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || state.carry(client));
            }
        });
        Self { address, state }
    }

    /// From now on this is wrong, also for who is connected already: these have to come again.
    pub(crate) fn set(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Returns how often something was wrong.
    pub(crate) fn faults(&self) -> usize {
        self.state.done.load(Ordering::Relaxed)
    }
}

impl State {
    /// Takes the fault for one connection; those that are counted become fewer.
    fn take(&self) -> Fault {
        let mut fault = self.fault.lock().unwrap();
        let taken = *fault;
        *fault = match taken {
            Fault::Busy(n) => {
                if n > 1 {
                    Fault::Busy(n - 1)
                } else {
                    Fault::None
                }
            }
            Fault::CutAnswers(n) => {
                if n > 1 {
                    Fault::CutAnswers(n - 1)
                } else {
                    Fault::None
                }
            }
            Fault::CutRequests(n) => {
                if n > 1 {
                    Fault::CutRequests(n - 1)
                } else {
                    Fault::None
                }
            }
            other => other,
        };
        if taken != Fault::None {
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn carry(&self, mut client: TcpStream) {
        let fault = self.take();
        let answered = match fault {
            Fault::Busy(_) => Some(("503 Slow Down", "SlowDown")),
            Fault::Refused => Some(("403 Forbidden", "SignatureDoesNotMatch")),
            _ => None,
        };
        if let Some((status, code)) = answered {
            let _ = client.read(&mut [0; 4096]);
            let body = format!("<Error><Code>{code}</Code><Message>hunter2hunter2</Message></Error>");
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = client.write_all((head + &body).as_bytes());
            let _ = client.shutdown(Shutdown::Write);
            // What still comes must not turn the answer into a reset.
            let _ = std::io::copy(&mut client, &mut std::io::sink());
            return;
        }
        let Ok(server) = TcpStream::connect(self.server) else { return };
        let mut open = self.open.lock().unwrap();
        open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        drop(open);
        let (up, down) = match fault {
            Fault::CutRequests(_) => (Some(100_000), None),
            Fault::CutAnswers(_) => (None, Some(100)),
            _ => (None, None),
        };
        let wait = if fault == Fault::Slow { Duration::from_millis(500) } else { Duration::ZERO };
        let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let other = std::thread::spawn(move || copy(back, forth, down, wait));
        copy(client, server, up, Duration::ZERO);
        let _ = other.join();
    }
}

/// Copies until the end, or until so many bytes are over; then the line breaks.
fn copy(mut from: TcpStream, mut to: TcpStream, most: Option<usize>, mut wait: Duration) {
    let (mut buffer, mut copied) = (vec![0; 64 << 10], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(wait);
        // What follows is slow as a line is, and not as a server.
        wait = wait.min(Duration::from_millis(1));
        let passed = most.map_or(read, |most| read.min(most - copied));
        copied += passed;
        if to.write_all(&buffer[..passed]).is_err() || most == Some(copied) {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
