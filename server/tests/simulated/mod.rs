//! Very many hosts that are none. Each joins with a token of its own, dials in over TLS, hears wishes, sends reports, lets
//! routers in and ships logs as an agent does (`server/src/host_agent`); only its engine runs nothing.

mod answers;
mod door;
mod engine;
mod host;
mod journal;
mod population;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use door::Door;
pub(crate) use engine::Running;
pub(crate) use host::{Host, Joining};
pub(crate) use journal::Journal;
pub(crate) use population::Population;

/// How many join at a time.
const JOINING: usize = 16;

/// How a simulated host behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How long a replica takes to become healthy.
    pub(crate) boot: Duration,
    /// How often it is measured what replicas use, which changes each time.
    pub(crate) measure: Duration,
    /// What each host offers.
    pub(crate) memory_mb: u64,
    pub(crate) cpu_millicores: u64,
    /// Each replica is said to listen at a port of its own, where nobody answers.
    pub(crate) own_ports: bool,
}

impl Manner {
    /// As agents do, on hosts with room for very many replicas, at all of which one listener answers.
    pub(crate) const LARGE: Self = Self {
        boot: Duration::from_millis(500),
        measure: Duration::from_secs(10),
        memory_mb: 64 << 10,
        cpu_millicores: 64_000,
        own_ports: false,
    };
}

/// The hosts. Dropped, they fall silent.
pub(crate) struct Simulated {
    pub(crate) hosts: Vec<Arc<Host>>,
    pub(crate) journal: Arc<Journal>,
    stop: CancellationToken,
    shipping: Mutex<Vec<JoinHandle<()>>>,
    runtime: Option<Runtime>,
}

impl Simulated {
    /// Joins with a token each, and keeps in touch from then on. Returns when the server has heard of all.
    pub(crate) fn join(server: SocketAddr, population: &Population, dir: &Path, manner: Manner) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (journal, stop) = (Arc::<Journal>::default(), CancellationToken::new());
        let hosts = runtime.block_on(async {
            let answers = answers::start().await;
            let join = |(number, token): (usize, &String)| {
                let (dir, token) = (dir.join(format!("host-{number}")), token.clone());
                let joining = Joining { server, answers, number, manner, dir, journal: journal.clone() };
                let stop = stop.clone();
                async move { tokio::spawn(begin(joining, Door::Token(token), stop)).await.unwrap() }
            };
            let joining: Vec<_> = population.tokens.iter().enumerate().map(join).collect();
            let hosts: Vec<_> = futures::stream::iter(joining).buffered(JOINING).collect().await;
            for host in &hosts {
                host.heard().await;
            }
            hosts
        });
        Self { hosts, journal, stop, shipping: Mutex::default(), runtime: Some(runtime) }
    }

    /// Ships from now on what is written to the hosts' logs.
    pub(crate) fn ship(&self) {
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        let ship = |host: &Arc<Host>| runtime.spawn(host.clone().ship(self.stop.clone()));
        *self.shipping.lock().unwrap() = self.hosts.iter().map(ship).collect();
    }

    /// Does something as a host would, and waits for it.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("it runs until it is dropped").block_on(work)
    }

    /// Returns the replicas of all hosts, with the number of each one's host.
    pub(crate) fn running(&self) -> Vec<(usize, Running)> {
        let of_host = |(number, host): (usize, &Arc<Host>)| {
            host.engine.running().into_iter().map(|running| (number, running)).collect::<Vec<_>>()
        };
        self.hosts.iter().enumerate().flat_map(of_host).collect()
    }

    /// Returns how many replicas of a release are healthy, and how many there are of others.
    pub(crate) fn count(&self, app: &str, release: u64) -> (usize, usize) {
        let of_app: Vec<_> =
            self.running().into_iter().map(|(_, r)| r).filter(|r| r.spec.app_name.as_str() == app).collect();
        let healthy = of_app.iter().filter(|r| r.spec.release.0 == release && r.is_healthy()).count();
        (healthy, of_app.iter().filter(|r| r.spec.release.0 != release).count())
    }
}

/// Joins, and keeps in touch until it is told to stop.
pub(crate) async fn begin(joining: Joining, door: Door, stop: CancellationToken) -> Arc<Host> {
    let (host, entry) = joining.join(door).await;
    tokio::spawn(entry.run(stop.clone()));
    tokio::spawn(stop.clone().run_until_cancelled_owned(host.clone().listen()));
    tokio::spawn(stop.clone().run_until_cancelled_owned(host.clone().report()));
    tokio::spawn(stop.run_until_cancelled_owned(host.clone().measure()));
    host
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            // What reads a log must not be cut off.
            let shipping = self.shipping.get_mut().map(std::mem::take).unwrap_or_default();
            let _ = runtime.block_on(futures::future::join_all(shipping));
            runtime.shutdown_background();
        }
    }
}
