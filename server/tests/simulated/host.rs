//! One host: it joins, and then has the lines to the server that an agent has.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fleet::{About, ClientTls, Credentials, Entry, HostKey, Link, Places, ServerUrl, Sync, Synced};
use logs::{Bounds, LogDir, Origin, Source};
use model::id::ReplicaId;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Manner;
use super::door::Door;
use super::engine::{Engine, Running};
use super::journal::Journal;

/// How long a server may hold its answer, as an agent has it.
const HOLD: Duration = Duration::from_secs(2);

/// How long to wait after a server was not reached.
const PAUSE: Duration = Duration::from_millis(200);

/// A host that has joined.
pub(crate) struct Host {
    pub(crate) engine: Arc<Engine>,
    manner: Manner,
    number: usize,
    wishes: Link,
    reports: Link,
    logs: Arc<Link>,
    about: About,
    dir: PathBuf,
    journal: Arc<Journal>,
    sent: AtomicU64,
    wanted: Notify,
    heard: watch::Sender<bool>,
}

/// A host that is about to join.
pub(crate) struct Joining {
    pub(crate) server: SocketAddr,
    pub(crate) answers: SocketAddr,
    pub(crate) number: usize,
    pub(crate) manner: Manner,
    pub(crate) dir: PathBuf,
    pub(crate) journal: Arc<Journal>,
}

impl Joining {
    /// Joins and returns the host and its entry.
    pub(crate) async fn join(self, door: Door) -> (Arc<Host>, Entry) {
        std::fs::create_dir_all(self.dir.join("logs")).unwrap();
        let listener = TcpListener::bind((self.answers.ip(), 0)).await.unwrap();
        let about = About {
            address: Some(self.answers.ip()),
            entry_port: Some(listener.local_addr().unwrap().port()),
            memory_bytes: Some(self.manner.memory_mb << 20),
            cpu_millicores: Some(self.manner.cpu_millicores),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            engine: Some("none".to_owned()),
        };
        let key = HostKey::at(&self.dir.join("key.pem")).unwrap();
        let server: ServerUrl = format!("https://{}", self.server).parse().unwrap();
        let joined = door.enter(&server, &key, self.number, &about).await;
        let credentials = Credentials::empty();
        credentials.replace_pem(&joined.certificate, &key).unwrap();
        let authority = fleet::read_certificate(&joined.authority).unwrap();
        let entry = fleet::entry_config(&authority, credentials.clone()).unwrap();
        let config: ClientTls = fleet::link_config(&authority, credentials.clone()).unwrap();
        let link = || Link::new(server.clone(), config.clone(), credentials.clone());
        let host = Host {
            engine: Arc::new(Engine::new(self.answers, self.manner, self.journal.clone())),
            manner: self.manner,
            number: self.number,
            wishes: link(),
            reports: link(),
            logs: Arc::new(link()),
            about,
            dir: self.dir,
            journal: self.journal,
            sent: AtomicU64::new(0),
            wanted: Notify::new(),
            heard: watch::Sender::new(false),
        };
        let entry = Entry::new(listener, entry, Arc::new(Here(host.engine.clone())));
        (Arc::new(host), entry)
    }
}

struct Here(Arc<Engine>);

impl Places for Here {
    fn place(&self, replica: ReplicaId) -> Option<SocketAddr> {
        self.0.place(replica)
    }
}

impl Host {
    /// Returns the zone that it joined in.
    pub(crate) fn zone(&self) -> &'static str {
        super::population::zone(self.number)
    }

    /// Waits until the server has heard of it.
    pub(crate) async fn heard(&self) {
        self.heard.subscribe().wait_for(|heard| *heard).await.expect("it is this host's");
    }

    /// Hears wishes, for ever.
    pub(crate) async fn listen(self: Arc<Self>) {
        let (mut has, mut introduced) = ((0, 0), false);
        loop {
            let sync = Sync {
                about: (!introduced).then(|| self.about.clone()),
                has,
                hold_ms: u64::try_from(HOLD.as_millis()).unwrap(),
                ..Sync::default()
            };
            let Ok(synced) = self.wishes.ask::<Synced>("/agent/sync", &sync, HOLD).await else {
                introduced = false;
                sleep(PAUSE).await;
                continue;
            };
            introduced = true;
            if let Some(desired) = synced.desired {
                has = has.max(desired.order());
                self.engine.desire(desired);
            }
            if synced.report_number.is_none() {
                self.wanted.notify_one();
                sleep(PAUSE).await;
            }
        }
    }

    /// Sends reports, for ever.
    pub(crate) async fn report(self: Arc<Self>) {
        let mut reports = self.engine.reports();
        loop {
            let report = reports.borrow_and_update().clone();
            let number = self.next_number();
            let has = (u64::MAX, u64::MAX);
            let sync =
                Sync { report: Some((*report).clone()), report_number: number, has, ..Sync::default() };
            let began = Instant::now();
            if self.reports.ask::<Synced>("/agent/sync", &sync, Duration::ZERO).await.is_err() {
                sleep(PAUSE).await;
                continue;
            }
            self.journal.answered(began.elapsed());
            self.heard.send_replace(true);
            tokio::select! {
                changed = reports.changed() => changed.expect("the engine is this host's"),
                () = self.wanted.notified() => {}
            }
        }
    }

    /// Measures its replicas, for ever; no two hosts at the same time.
    pub(crate) async fn measure(self: Arc<Self>) {
        let number = u32::try_from(self.number).unwrap();
        sleep(self.manner.measure * (number % 100) / 100).await;
        loop {
            self.engine.measure();
            sleep(self.manner.measure).await;
        }
    }

    /// Ships what is in its logs, for ever, as an agent does.
    pub(crate) async fn ship(self: Arc<Self>, stop: CancellationToken) {
        let spool = paasd::host_agent::open_logs(self.dir.join("logs"));
        paasd::host_agent::ship(spool, vec![self.logs.clone()], stop).await;
    }

    /// Writes lines as one of its replicas would: `TEXT FIRST`, and so on up to `LAST`.
    pub(crate) fn write_lines(&self, running: &Running, text: &str, numbers: std::ops::Range<usize>) {
        let dir = self.dir.join("logs").join(running.spec.app.to_string());
        let origin = Origin::new(Source::App, &running.spec.name(), Some(running.spec.release.0));
        let lines: Vec<String> = numbers.map(|number| format!("{text} {number}")).collect();
        LogDir::open(dir, Bounds::default()).unwrap().writer().append(&origin, lines.join("\n"));
    }

    /// Asks the server something over the line for logs.
    pub(crate) fn line(&self) -> Arc<Link> {
        self.logs.clone()
    }

    fn next_number(&self) -> u64 {
        let now = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap();
        let number = now.max(self.sent.load(Relaxed) + 1);
        self.sent.store(number, Relaxed);
        number
    }
}
