//! Measures the router beside nginx and `HAProxy`: the same backend, the same number of workers, in turns.
//!
//! `cargo bench -p router`. What can be set, from the environment: `ROUNDS` (3), `SECONDS` (2), `WORKERS` (2), `ONLY`
//! (names, separated by commas), and lists of `CONNECTIONS` (1,64,512), `BODY` (1024,102400 bytes), `HOSTS` (1,10000).
//! All keep connections on both sides and add the same headers; none writes a log: the router makes its line and
//! drops it, so that the writing of logs, which is another part's, is measured nowhere.
//! The client, the proxy and the backend share the machine, so ratios mean more than figures.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

#[path = "../../../../testkit/address.rs"]
mod address;
mod backend;
mod floor;
mod peer;
mod scenario;
mod wrk;

use arc_swap::ArcSwap;
use peer::Peer;
use router::{AppRoute, Backend, ProbeSecret, RequestLine, RequestLog, Router, RouterOptions, Routes};
use scenario::{Scenario, setting};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wrk::Run;

struct Nowhere;

impl RequestLog for Nowhere {
    fn request(&self, line: RequestLine) {
        std::hint::black_box(&line);
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let workers = setting("WORKERS", 2);
    match (args.next().as_deref(), args.next()) {
        (Some("backend"), Some(_)) => backend::serve(workers, setting("BODY", 1_024)),
        (Some("floor"), Some(target)) => floor::serve(workers, target.parse().unwrap()),
        (Some("router"), Some(target)) => serve_router(target.parse().unwrap()),
        _ => compare(),
    }
}

/// Routes to `target` for ever, an app for each host, and prints its own address.
fn serve_router(target: SocketAddr) {
    let log: Arc<dyn RequestLog> = Arc::new(Nowhere);
    let backend = Backend::new("r1", "web.1", target);
    let hosts = (0..setting("HOSTS", 1)).map(Scenario::host);
    let table = Routes::new(hosts.map(|host| {
        let app = AppRoute::new(host.as_str(), Arc::clone(&log), vec![Arc::clone(&backend)]);
        (host, Arc::new(app))
    }));
    let mut options = RouterOptions::new("127.0.0.1:0".parse().unwrap(), ProbeSecret::random());
    options.workers = setting("WORKERS", 2);
    let router = Router::start(options, Arc::new(ArcSwap::from_pointee(table))).unwrap();
    println!("{}", router.local_addr());
    loop {
        std::thread::park();
    }
}

fn compare() {
    println!("\n{} workers each, medians of {} rounds\n", setting("WORKERS", 2), setting("ROUNDS", 3));
    println!(
        "| | | req/s | × nginx | × HAProxy | p50 ms | p99 ms | CPU s per 100k | memory MB | failed |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    );
    for scenario in Scenario::all() {
        let peers = peers(&scenario);
        let time = Duration::from_secs(setting("SECONDS", 2));
        for peer in &peers {
            wrk::run(peer, &scenario, Duration::from_secs(1));
        }
        let mut runs: Vec<Vec<Run>> = peers.iter().map(|_| Vec::new()).collect();
        for _ in 0..setting("ROUNDS", 3) {
            for (peer, runs) in peers.iter().zip(&mut runs) {
                runs.push(wrk::run(peer, &scenario, time));
            }
        }
        report(&scenario, &peers, &runs);
    }
}

/// Starts who is to be measured; the floor and the backend alone are of interest in one place only.
fn peers(scenario: &Scenario) -> Vec<Peer> {
    let only: String = setting("ONLY", String::new());
    let usual = scenario.body == 1_024 && scenario.hosts == 1 && scenario.connections == 64;
    let wanted = |name: &str, always: bool| match only.is_empty() {
        true => always || usual,
        false => only.split(',').any(|one| one == name),
    };
    let workers = setting("WORKERS", 2);
    let backend = Peer::ours("backend", "direct", None, scenario).unwrap();
    let target = backend.address;
    let ours = |name| {
        wanted(name, name == "router").then(|| Peer::ours(name, name, Some(target), scenario).unwrap())
    };
    let mut peers: Vec<Peer> = ours("router").into_iter().collect();
    peers.extend(wanted("nginx", true).then(|| peer::nginx(target, workers, scenario)).flatten());
    peers.extend(wanted("haproxy", true).then(|| peer::haproxy(target, workers, scenario)).flatten());
    peers.extend(ours("floor"));
    if wanted("direct", false) {
        peers.push(backend);
    } else if let Some(first) = peers.first_mut() {
        first.behind = Some(Box::new(backend));
    }
    peers
}

fn report(scenario: &Scenario, peers: &[Peer], runs: &[Vec<Run>]) {
    let rate = |name: &str| {
        let at = peers.iter().position(|peer| peer.name == name)?;
        Some(median(&runs[at], |run| run.rate))
    };
    let ratio = |of: f64, name: &str| rate(name).map_or("–".to_owned(), |base| format!("{:.2}", of / base));
    for (peer, runs) in peers.iter().zip(runs) {
        let rate = median(runs, |run| run.rate);
        println!(
            "| {scenario} | {} | {rate:.0} | {} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {} |",
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
