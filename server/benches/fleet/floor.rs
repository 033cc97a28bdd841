//! The same number of hosts at a bare server in a process of its own: it holds their polls over TLS, and knows nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleet::{Authority, Call, Credentials, HostKey, Link};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::id::HostId;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::process::{self, Stopwatch};
use crate::wait;

/// How long a poll is held, as an agent asks for it.
const HOLD: Duration = Duration::from_secs(2);

/// What was measured.
pub(crate) struct Floor {
    /// Processor time of the server while polls are held, in percent of a core.
    pub(crate) idle_share: f64,
    /// Its memory, in megabytes.
    pub(crate) memory: f64,
    /// From a request that wakes a poll to its answer.
    pub(crate) wakes: Vec<Duration>,
}

/// Starts the server and polls it.
pub(crate) fn measure(hosts: usize, idle: Duration, wakes: u32) -> Floor {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::generate().unwrap();
    std::fs::write(dir.path().join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(dir.path().join("authority.key"), authority.key_pem()).unwrap();
    let mut server = start(dir.path());
    let port = wait::until("the bare server", || {
        std::fs::read_to_string(dir.path().join("port")).ok()?.parse().ok()
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let floor = runtime.block_on(poll(&authority, dir.path(), address, (hosts, idle, wakes, server.id())));
    runtime.shutdown_background();
    server.kill().unwrap();
    server.wait().unwrap();
    floor
}

async fn poll(
    authority: &Authority,
    dir: &Path,
    server: SocketAddr,
    (hosts, idle, wakes, pid): (usize, Duration, u32, u32),
) -> Floor {
    let (answered, mut answers) = mpsc::unbounded_channel();
    let mut lines = Vec::new();
    for number in 0..hosts {
        let key = HostKey::at(&dir.join(format!("{number}.pem"))).unwrap();
        let certificate = authority.host_certificate(HostId::new(), &key.request().unwrap()).unwrap();
        let credentials = Credentials::empty();
        credentials.replace_pem(&certificate, &key).unwrap();
        let config = fleet::link_config(authority.certificate(), credentials.clone()).unwrap();
        let link =
            || Link::new(format!("https://{server}").parse().unwrap(), config.clone(), credentials.clone());
        let (poll, line, answered) = (link(), link(), answered.clone());
        tokio::spawn(async move {
            loop {
                let path = format!("/hold/{number}");
                let woken: bool = poll.ask(&path, &(), HOLD).await.unwrap();
                if woken {
                    answered.send((number, Instant::now())).unwrap();
                }
            }
        });
        // An agent has a second line, for reports.
        line.ask::<bool>("/now", &(), Duration::ZERO).await.unwrap();
        lines.push(line);
    }
    tokio::time::sleep(HOLD).await;
    let watch = Stopwatch::start(pid);
    tokio::time::sleep(idle).await;
    let (idle_share, memory) = (watch.share(), process::memory(pid));
    let mut took = Vec::new();
    for number in (0..hosts).cycle().take(wakes as usize) {
        let began = Instant::now();
        lines[number].ask::<bool>(&format!("/wake/{number}"), &(), Duration::ZERO).await.unwrap();
        let (woken, at) = answers.recv().await.unwrap();
        assert_eq!(woken, number);
        took.push(at - began);
    }
    Floor { idle_share, memory, wakes: took }
}

fn start(dir: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program).arg("floor").arg(dir).stdin(Stdio::null()).spawn().unwrap()
}

/// Is the bare server, until it is killed.
pub(crate) fn serve(dir: &Path) {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let authority = Authority::of(&read("authority.pem"), &read("authority.key")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        std::fs::write(dir.join("port.new"), port.to_string()).unwrap();
        std::fs::rename(dir.join("port.new"), dir.join("port")).unwrap();
        let config = fleet::server_config(authority.certificate(), authority.server_credentials().unwrap());
        let held = Arc::<Held>::default();
        let take = move |call: Call| {
            let held = held.clone();
            async move {
                let service = service_fn(move |request| answer(request, held.clone()));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(call.stream), service).await;
            }
        };
        fleet::take_calls(listener, config.unwrap(), CancellationToken::new(), take).await;
    });
}

/// The polls that are held, by the hosts' numbers.
type Held = Mutex<BTreeMap<String, Arc<Notify>>>;

async fn answer(request: Request<Incoming>, held: Arc<Held>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let _ = request.into_body().collect().await;
    let of = |number: &str| held.lock().unwrap().entry(number.to_owned()).or_default().clone();
    let woken = match path.trim_start_matches('/').split_once('/') {
        Some(("hold", number)) => tokio::time::timeout(HOLD, of(number).notified()).await.is_ok(),
        Some(("wake", number)) => {
            of(number).notify_one();
            false
        }
        _ => false,
    };
    Ok(Response::new(Full::new(Bytes::from(woken.to_string()))))
}
