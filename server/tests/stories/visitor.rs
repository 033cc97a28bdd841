//! A visitor of an app: plain HTTP/1.1 to the router, so that nothing in between retries or hides anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks once, on a connection of its own; a broken connection is an error.
pub(crate) fn get(router: SocketAddr, host: &str, path: &str) -> std::io::Result<Answer> {
    get_within(Duration::from_secs(40), router, host, path)
}

/// Asks once and does not wait longer than so long for anything.
pub(crate) fn get_within(
    patience: Duration,
    router: SocketAddr,
    host: &str,
    path: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(router)?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no whole answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no status"))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Asks about 100 times a second until it is told to stop, and counts what was not a 200.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Crowd {
    pub(crate) fn start(router: SocketAddr, host: &str) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (host, stopped, count) = (host.to_owned(), stop.clone(), asked.clone());
        let thread = std::thread::spawn(move || {
            let mut failures = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                match get(router, &host, "/") {
                    Ok(Answer { status: 200, .. }) => {}
                    other => failures.push(format!("{other:?}")),
                }
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
            failures
        });
        Self { stop, asked, thread }
    }

    /// Fails the test unless every request was answered with 200, and there were some.
    pub(crate) fn assert_none_failed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.thread.join().unwrap();
        let asked = self.asked.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} of {asked} requests failed: {failures:#?}", failures.len());
        assert!(asked > 0, "no request was made");
    }
}
