//! Measures the router beside nginx and `HAProxy`: the same backend, the same number of workers, in turns.
//!
//! `cargo bench -p router`. What can be set, from the environment: `ROUNDS` (3), `SECONDS` (5), `CONNECTIONS` (64),
//! `BODY` (1024 bytes), `HOSTS` (1), `WORKERS` (2), `ONLY` (names, separated by commas).
//! The client, the proxy and the backend share the machine, so ratios mean more than figures.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

mod backend;
mod floor;
mod peer;
mod wrk;

use arc_swap::ArcSwap;
use peer::Peer;
use router::{AppRoute, Backend, ProbeSecret, RequestLine, RequestLog, Router, RouterOptions, Routes};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wrk::Run;

/// The one that `paasd` has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Nowhere;

impl RequestLog for Nowhere {
    fn request(&self, line: RequestLine) {
        std::hint::black_box(&line);
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("backend"), Some(_)) => backend::serve(setting("WORKERS", 2), setting("BODY", 1024)),
        (Some("floor"), Some(target)) => floor::serve(setting("WORKERS", 2), target.parse().unwrap()),
        (Some("router"), Some(target)) => serve_router(target.parse().unwrap()),
        _ => compare(),
    }
}

/// Returns a number from the environment.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Routes to `target` for ever, and prints its own address.
fn serve_router(target: SocketAddr) {
    let log: Arc<dyn RequestLog> = Arc::new(Nowhere);
    let backend = Backend::new("r1", "web.1", target);
    let app = Arc::new(AppRoute::new("app", log, vec![backend]));
    let hosts = (1..setting("HOSTS", 1)).map(|n| format!("app-{n}.example.org"));
    let table = Routes::new(hosts.chain(["app".to_owned()]).map(|host| (host, Arc::clone(&app))));
    let mut options = RouterOptions::new("127.0.0.1:0".parse().unwrap(), ProbeSecret::random());
    options.workers = setting("WORKERS", 2);
    let router = Router::start(options, Arc::new(ArcSwap::from_pointee(table))).unwrap();
    println!("{}", router.local_addr());
    loop {
        std::thread::park();
    }
}

fn compare() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|one| one == name);
    let backend = Peer::ours("backend", "direct", None).unwrap();
    let mut peers = Vec::new();
    if wanted("router") {
        peers.push(Peer::ours("router", "router", Some(backend.address)).unwrap());
    }
    if wanted("floor") {
        peers.push(Peer::ours("floor", "floor", Some(backend.address)).unwrap());
    }
    peers.extend(wanted("nginx").then(|| peer::nginx(backend.address, setting("WORKERS", 2))).flatten());
    peers.extend(wanted("haproxy").then(|| peer::haproxy(backend.address, setting("WORKERS", 2))).flatten());
    if wanted("direct") {
        peers.push(backend);
    }
    let seconds = u64::try_from(setting("SECONDS", 5)).unwrap();
    for peer in &peers {
        wrk::run(peer, Duration::from_secs(1));
    }
    let mut runs: Vec<Vec<Run>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..setting("ROUNDS", 3) {
        for (peer, runs) in peers.iter().zip(&mut runs) {
            runs.push(wrk::run(peer, Duration::from_secs(seconds)));
        }
    }
    report(&peers, &runs);
}

fn report(peers: &[Peer], runs: &[Vec<Run>]) {
    let rate = |name: &str| {
        let at = peers.iter().position(|peer| peer.name == name)?;
        Some(median(&runs[at], |run| run.rate))
    };
    let ratio = |of: f64, name: &str| rate(name).map_or("–".to_owned(), |base| format!("{:.2}", of / base));
    println!(
        "\n{} connections, {} bytes, {} hosts, {} workers, median of {} rounds\n",
        setting("CONNECTIONS", 64),
        setting("BODY", 1024),
        setting("HOSTS", 1),
        setting("WORKERS", 2),
        runs.first().map_or(0, Vec::len),
    );
    println!("| | req/s | × nginx | × HAProxy | p50 ms | p99 ms | CPU s per 100k | memory MB | failed |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (peer, runs) in peers.iter().zip(runs) {
        let rate = median(runs, |run| run.rate);
        println!(
            "| {} | {rate:.0} | {} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {} |",
            peer.name,
            ratio(rate, "nginx"),
            ratio(rate, "haproxy"),
            median(runs, |run| run.p50),
            median(runs, |run| run.p99),
            median(runs, |run| run.cpu),
            median(runs, |run| run.memory),
            runs.iter().map(|run| run.failed).sum::<u64>(),
        );
    }
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
