//! Keeps in touch with every server: two lines to each, one on which its wishes come as soon as there are any, and one on
//! which reports go as soon as something changed. None of it is needed for replicas to go on.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::Agent;
use anyhow::anyhow;
use fleet::{About, ClientTls, Link, LinkError, Sync, Synced, Told};
use jiff::Timestamp;
use model::replica::HostReport;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::identity::Identity;
use super::options::Options;
use super::slugs::FromServers;

/// How long a server may hold its answer: the heartbeat.
const HOLD: Duration = Duration::from_secs(2);

/// The shortest and the longest pause after a server was not reached.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// All servers.
pub(super) struct Servers {
    servers: Vec<Arc<Server>>,
    removed: watch::Receiver<Option<String>>,
    told: watch::Sender<Told>,
}

/// One server, as this host sees it.
struct Server {
    wishes: Link,
    reports: Link,
    other: Arc<Link>,
    logs: Arc<Link>,
    about: About,
    /// The newest wishes of any server that were passed on by this process: what was known before it is heard again.
    has: Arc<Mutex<(u64, u64)>>,
    /// How many drills were told of; nothing before the first answer.
    drills: Arc<Mutex<Option<u64>>>,
    /// The number of the last report that was sent.
    sent: AtomicU64,
    /// The server does not have the last report.
    wanted: Notify,
    removed: watch::Sender<Option<String>>,
    /// What the cloud has said.
    told: watch::Receiver<Told>,
}

impl Servers {
    pub(super) fn new(options: &Options, identity: &Identity, about: About) -> anyhow::Result<Self> {
        let config: ClientTls = identity.link_config()?;
        let (sender, removed) = watch::channel(None);
        let told = watch::Sender::new(Told::default());
        let (has, drills) = (Arc::default(), Arc::default());
        let server = |url: &fleet::ServerUrl| {
            let link = || Link::new(url.clone(), config.clone(), identity.credentials());
            Arc::new(Server {
                wishes: link(),
                reports: link(),
                other: Arc::new(link()),
                logs: Arc::new(link()),
                about: about.clone(),
                has: Arc::clone(&has),
                drills: Arc::clone(&drills),
                sent: AtomicU64::new(0),
                wanted: Notify::new(),
                removed: sender.clone(),
                told: told.subscribe(),
            })
        };
        Ok(Self { servers: options.servers.iter().map(server).collect(), removed, told })
    }

    /// Returns a line to each server for what is neither wishes nor reports.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.servers.iter().map(|server| Arc::clone(&server.other)).collect()
    }

    /// Returns a line to each server for logs alone.
    pub(super) fn shipping_links(&self) -> Vec<Arc<Link>> {
        self.servers.iter().map(|server| Arc::clone(&server.logs)).collect()
    }

    pub(super) fn slugs(&self) -> Arc<FromServers> {
        Arc::new(FromServers(self.links()))
    }

    /// Returns by what the servers are told what the cloud says of this host.
    pub(super) fn told(&self) -> watch::Sender<Told> {
        self.told.clone()
    }

    /// Waits until a server says that this is no host of the platform any more.
    pub(super) fn removed(&self) -> impl Future<Output = anyhow::Error> + use<> {
        let mut removed = self.removed.clone();
        async move {
            match removed.wait_for(Option::is_some).await {
                Ok(why) => anyhow!("{}", why.as_deref().unwrap_or_default()),
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Keeps in touch until it is told to stop.
    pub(super) fn start(&self, agent: &Arc<Agent>, loops: &mut JoinSet<()>, stop: &CancellationToken) {
        for server in &self.servers {
            let stopped = |work| {
                let stop = stop.clone();
                async move {
                    let _ = stop.run_until_cancelled_owned(work).await;
                }
            };
            let wishes = Arc::clone(server).listen(Arc::clone(agent));
            loops.spawn(stopped(Box::pin(wishes) as futures::future::BoxFuture<'static, ()>));
            loops.spawn(stopped(Box::pin(Arc::clone(server).report(agent.reports()))));
        }
    }
}

impl Server {
    /// Hears wishes.
    async fn listen(self: Arc<Self>, agent: Arc<Agent>) {
        let mut failures = Failures::default();
        let mut introduced = false;
        loop {
            let has = *lock(&self.has);
            let sync = Sync {
                about: (!introduced).then(|| self.about.clone()),
                told: *self.told.borrow(),
                report: None,
                report_number: 0,
                has,
                hold_ms: u64::try_from(HOLD.as_millis()).unwrap_or(0),
            };
            match self.wishes.ask::<Synced>("/agent/sync", &sync, HOLD).await {
                Ok(synced) => {
                    failures.over(&self.wishes);
                    introduced = true;
                    let needs_report = synced.report_number.is_none();
                    self.take(&agent, synced);
                    if needs_report {
                        self.wanted.notify_one();
                        sleep(PAUSE.0).await;
                    }
                }
                Err(error) => {
                    // A server that was away may be another one now.
                    introduced = false;
                    self.fail(&mut failures, &error).await;
                }
            }
        }
    }

    fn take(&self, agent: &Agent, synced: Synced) {
        if let Some(desired) = synced.desired {
            let mut has = lock(&self.has);
            *has = (*has).max(desired.order());
            agent.set_desired(desired);
        }
        if !synced.doubted.is_empty() {
            agent.doubt(synced.doubted);
        }
        let mut drills = lock(&self.drills);
        if drills.is_some_and(|before| before < synced.drill) {
            warn!("a drill: all replicas of this host are killed");
            agent.drill();
        }
        *drills = Some(drills.map_or(synced.drill, |before| before.max(synced.drill)));
    }

    /// Sends reports.
    async fn report(self: Arc<Self>, mut reports: watch::Receiver<Arc<HostReport>>) {
        let mut failures = Failures::default();
        loop {
            let report = reports.borrow_and_update().clone();
            let number = self.next_number();
            let sync = Sync {
                report: Some((*report).clone()),
                report_number: number,
                // Wishes come on the other line.
                has: (u64::MAX, u64::MAX),
                ..Sync::default()
            };
            match self.reports.ask::<Synced>("/agent/sync", &sync, Duration::ZERO).await {
                Ok(synced) => {
                    failures.over(&self.reports);
                    if let Some(known) = synced.report_number.filter(|known| *known > number) {
                        self.sent.fetch_max(known, Relaxed);
                        continue;
                    }
                }
                Err(error) => {
                    self.fail(&mut failures, &error).await;
                    continue;
                }
            }
            tokio::select! {
                changed = reports.changed() => if changed.is_err() { return std::future::pending().await },
                () = self.wanted.notified() => {}
            }
        }
    }

    /// Returns a number that no report of this host had, by the clock as long as that goes forward.
    fn next_number(&self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let number = now.max(self.sent.load(Relaxed) + 1);
        self.sent.store(number, Relaxed);
        number
    }

    async fn fail(&self, failures: &mut Failures, error: &LinkError) {
        if error.is_removed() {
            self.removed.send_replace(Some(error.to_string()));
        }
        failures.wait(&self.wishes, error).await;
    }
}

/// How often in a row a server was not reached.
#[derive(Default)]
struct Failures(u32);

impl Failures {
    fn over(&mut self, link: &Link) {
        if self.0 > 0 {
            info!("{} is reached again", link.server());
        }
        self.0 = 0;
    }

    /// Waits longer each time, and not as long as everybody else.
    async fn wait(&mut self, link: &Link, error: &LinkError) {
        if self.0 == 0 {
            warn!(%error, "{} cannot be spoken to; replicas go on", link.server());
        }
        let pause = PAUSE.0.saturating_mul(2_u32.saturating_pow(self.0)).min(PAUSE.1);
        self.0 = self.0.saturating_add(1);
        let mut random = [0; 1];
        let _ = getrandom::fill(&mut random);
        sleep(pause.mul_f64(0.5 + f64::from(random[0]) / 512.0)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
