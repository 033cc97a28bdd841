//! Any bytes on a visitor's connection to a real router with a real replica behind it: the replica sees whole requests
//! only and never more than the router counted, every answer is well-formed, and the router goes on serving.
#![no_main]

#[path = "router_request/replica.rs"]
mod replica;
#[path = "router_request/wire.rs"]
mod wire;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use libfuzzer_sys::fuzz_target;
use replica::Replica;
use router::{
    AppRoute, Backend, ProbeSecret, RequestLine, RequestLog, Router, RouterHandle, RouterOptions, Routes,
    Timeouts,
};

/// How long nothing comes before an answer counts as one that does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may follow the bytes, so that both a connection that ends and one that goes on are tried.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";

struct Lines;

impl RequestLog for Lines {
    fn request(&self, line: RequestLine) {
        let line = line.to_string();
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
    }
}

struct Stage {
    router: RouterHandle,
    backend: Arc<Backend>,
    replica: Replica,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let replica = Replica::start();
    let backend = Backend::new("id-web.1", "web.1", replica.address());
    let route = AppRoute::new("app", Arc::new(Lines), vec![Arc::clone(&backend)]);
    let routes = Routes::new([("app".to_owned(), Arc::new(route))]);
    let mut options = RouterOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)), ProbeSecret::random());
    options.workers = 1;
    // Whoever falls silent is left soon: the fuzzer waits for the end of each connection.
    let soon = Duration::from_millis(10);
    let short = Timeouts {
        header: soon,
        keep_alive: soon,
        idle: soon,
        tunnel: soon,
        continue_: soon,
        ..Timeouts::default()
    };
    options.timeouts = Timeouts { first_byte: 3 * soon, ..short };
    let router = Router::start(options, Arc::new(ArcSwap::from_pointee(routes))).expect("a port is free");
    Stage { router, backend, replica }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let stage = &*STAGE;
    let sent = if how & 1 == 0 { bytes.to_vec() } else { [bytes, LAST].concat() };
    let answered = converse(stage.router.local_addr(), &sent, how & 2 != 0);
    wire::check_answers(&answered, &sent);
    stage.replica.check(&stage.backend);
    // A visitor who does nothing odd is served as ever; on a busy machine not always within these time limits.
    if how & 0xf0 == 0 {
        let mut answers = (0..50).map(|_| converse(stage.router.local_addr(), LAST, false));
        assert!(
            answers.any(|answer| answer.starts_with(b"HTTP/1.1 200 OK\r\n")),
            "it serves nobody any more"
        );
    }
});

/// Sends bytes, at once or with a pause in the middle, and returns what comes until the router ends the connection.
fn converse(router: SocketAddr, bytes: &[u8], in_halves: bool) -> Vec<u8> {
    let socket = TcpStream::connect(router).expect("the router listens");
    // A reset at the end: closed connections would use up the ports.
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("the socket is open");
    socket.set_nodelay(true).expect("the socket is open");
    socket.set_read_timeout(Some(PATIENCE)).expect("the socket is open");
    let (first, second) = bytes.split_at(if in_halves { bytes.len() / 2 } else { bytes.len() });
    // The router may have ended the connection before it has read everything.
    let _ = (&socket).write_all(first);
    if !second.is_empty() {
        std::thread::sleep(Duration::from_millis(1));
        let _ = (&socket).write_all(second);
    }
    let (mut answered, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match (&socket).read(&mut piece) {
            Ok(0) => return answered,
            Ok(read) => answered.extend(&piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection goes on after {:?}", String::from_utf8_lossy(bytes))
            }
            // What was not read of the bytes makes it a reset, before which some of the answer may be lost.
            Err(_) => return answered,
        }
    }
}
