//! Visitors who come on a schedule of their own, whether or not those before them were answered (open loop): a server
//! that stalls does not slow them down, and what they had to wait is counted from when they came.
//!
//! Half of the requests go over new connections, half over connections that are kept and used again. Nothing is
//! retried: everything that is not a whole answer with 2xx is a failure.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::place::Place;
use crate::wait;

/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a router, and its socket to look whether the other side has closed it.
struct Kept {
    router: SocketAddr,
    sender: SendRequest<Empty<Bytes>>,
    socket: std::net::TcpStream,
}

/// What is asked, and what came of it so far.
struct Visits {
    /// They are asked in turn.
    routers: Mutex<Vec<SocketAddr>>,
    host: String,
    path: String,
    idle: Mutex<Vec<Kept>>,
    phase: Mutex<Arc<Phase>>,
}

/// A stretch of time. Each visitor holds the one he came in, so that one that nobody holds is over.
type Phase = Mutex<Seen>;

#[derive(Default)]
struct Seen {
    waits: Vec<Duration>,
    failures: Vec<Failure>,
}

/// One request that was not answered as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// When the visitor came.
    pub(crate) came: Instant,
    /// Who was asked.
    pub(crate) router: SocketAddr,
    /// What happened instead of an answer: a status, or the error's words.
    pub(crate) what: String,
    /// It used a connection that was kept from an earlier request.
    pub(crate) kept: bool,
}

/// A steady stream of visitors.
pub(crate) struct Load {
    visits: Arc<Visits>,
    stop: CancellationToken,
    runtime: Runtime,
    schedule: tokio::task::JoinHandle<()>,
    tracker: TaskTracker,
    /// What failed while nothing was done.
    between: Mutex<Vec<Failure>>,
}

/// What came of all of them.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) asked: usize,
    pub(crate) failures: Vec<Failure>,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Load {
    /// Starts to ask for `path` of `host` so many times a second.
    pub(crate) fn start(router: SocketAddr, host: &str, path: &str, per_second: u32) -> Self {
        Self::start_at(&[router], host, path, per_second)
    }

    /// The same with several routers, each of which gets its share.
    pub(crate) fn start_at(routers: &[SocketAddr], host: &str, path: &str, per_second: u32) -> Self {
        Self::start_from(Place::default(), (routers, host, path), per_second)
    }

    /// The same with visitors who are on a machine of their own.
    pub(crate) fn start_from(
        place: Place,
        (routers, host, path): (&[SocketAddr], &str, &str),
        per_second: u32,
    ) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().on_thread_start(move || place.call_from());
        let runtime = builder.build().unwrap();
        let visits = Arc::new(Visits {
            routers: Mutex::new(routers.to_vec()),
            host: host.to_owned(),
            path: path.to_owned(),
            idle: Mutex::default(),
            phase: Mutex::default(),
        });
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let come = come(visits.clone(), tracker.clone(), Duration::from_secs(1) / per_second);
        let schedule = runtime.spawn({
            let stop = stop.clone();
            async move {
                stop.run_until_cancelled(come).await;
            }
        });
        Self { visits, stop, runtime, schedule, tracker, between: Mutex::default() }
    }

    /// Returns how many have had their answer so far, or a failure.
    pub(crate) fn asked(&self) -> usize {
        let phase = self.visits.phase();
        let seen = phase.lock().unwrap();
        seen.waits.len() + seen.failures.len()
    }

    /// Sends visitors to these routers from now on, as whatever is in front of several servers does. Those who came
    /// before have had their answers when it returns.
    pub(crate) fn send_to(&self, routers: &[SocketAddr]) -> Outcome {
        *self.visits.routers.lock().unwrap() = routers.to_vec();
        Outcome::of(self.visits.next_phase())
    }

    /// Does something while visitors keep coming, and prints what came of those who came meanwhile.
    pub(crate) fn during(&self, what: &str, change: impl FnOnce()) -> Outcome {
        let before = self.visits.next_phase();
        self.between.lock().unwrap().extend(before.failures);
        change();
        let outcome = Outcome::of(self.visits.next_phase());
        eprintln!("{what}: {outcome}");
        outcome
    }

    /// Waits for one more visitor, lets no more come, waits for those that are there, and prints what came of them. What
    /// failed between two changes counts as well.
    pub(crate) fn finish(self, what: &str) -> Outcome {
        wait::until("a visitor to come last", || (self.asked() > 0).then_some(()));
        self.stop.cancel();
        self.tracker.close();
        let tracker = self.tracker;
        let schedule = self.schedule;
        self.runtime.block_on(async {
            let _ = schedule.await;
            tracker.wait().await;
        });
        let mut last = self.visits.next_phase();
        last.failures.append(&mut self.between.lock().unwrap());
        let outcome = Outcome::of(last);
        eprintln!("{what}: {outcome}");
        outcome
    }
}

/// Lets visitors come on the schedule; one that is late by our own fault comes at once.
async fn come(visits: Arc<Visits>, tracker: TaskTracker, every: Duration) {
    let mut due = Instant::now();
    for turn in 0_u64.. {
        tokio::time::sleep_until(due.into()).await;
        // The phase first: those of a phase ask no router that was left before it began.
        let (phase, router) = (visits.phase(), visits.router(turn / 2));
        let (visits, came) = (visits.clone(), due);
        tracker.spawn(async move { visits.visit(&phase, came, router, turn % 2 == 0).await });
        due += every;
    }
}

impl Kept {
    /// Looks before it is used again, as any client does.
    fn is_open(&self) -> bool {
        let closed = |error: std::io::Error| error.kind() != std::io::ErrorKind::WouldBlock;
        self.sender.is_ready() && !self.socket.peek(&mut [0]).map_or_else(closed, |_| true)
    }
}

impl Visits {
    fn phase(&self) -> Arc<Phase> {
        self.phase.lock().unwrap().clone()
    }

    /// Begins a phase, waits for the visitors of the one before, and returns what they saw.
    fn next_phase(&self) -> Seen {
        let mut before = std::mem::take(&mut *self.phase.lock().unwrap());
        wait::until("the visitors of a phase to have their answers", || {
            Arc::get_mut(&mut before).map(|seen| std::mem::take(seen.get_mut().unwrap()))
        })
    }

    fn router(&self, turn: u64) -> SocketAddr {
        let routers = self.routers.lock().unwrap();
        let turn = usize::try_from(turn).unwrap() % routers.len();
        routers[turn]
    }

    async fn visit(&self, phase: &Phase, came: Instant, router: SocketAddr, fresh: bool) {
        let idle = if fresh { None } else { self.idle(router) };
        let kept = idle.is_some();
        let asked = tokio::time::timeout_at((came + PATIENCE).into(), self.ask(router, idle, fresh)).await;
        let outcome = match asked {
            Ok(Ok(status)) if (200..300).contains(&status) => Ok(came.elapsed()),
            Ok(Ok(status)) => Err(format!("status {status}")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let mut seen = phase.lock().unwrap();
        match outcome {
            Ok(wait) => seen.waits.push(wait),
            Err(what) => seen.failures.push(Failure { came, router, what, kept }),
        }
    }

    /// Returns a connection to the router that nobody uses, and that was not closed by the other side.
    fn idle(&self, router: SocketAddr) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap();
        let mut next = || {
            let last = idle.iter().rposition(|kept| kept.router == router)?;
            Some(idle.swap_remove(last))
        };
        std::iter::from_fn(&mut next).find(Kept::is_open)
    }

    async fn ask(&self, router: SocketAddr, idle: Option<Kept>, fresh: bool) -> Result<u16, String> {
        let words = |step: &'static str| move |error| format!("{step}: {}", chain(error));
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(router).await.map_err(|error| format!("connect: {error}"))?;
                let stream = stream.into_std().unwrap();
                let socket = stream.try_clone().unwrap();
                let stream = TcpStream::from_std(stream).unwrap();
                let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(words("handshake"))?;
                tokio::spawn(driver);
                Kept { router, sender, socket }
            }
        };
        let request = hyper::Request::get(&self.path).header("host", &self.host);
        let request = if fresh { request.header("connection", "close") } else { request };
        let request = request.body(Empty::new()).unwrap();
        let answer = connection.sender.send_request(request).await.map_err(words("request"))?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await.map_err(words("body"))?;
        if !fresh && connection.sender.ready().await.is_ok() {
            self.idle.lock().unwrap().push(connection);
        }
        Ok(status)
    }
}

fn chain(error: hyper::Error) -> String {
    let error = anyhow::Error::from(error);
    format!("{error:#}")
}

impl Outcome {
    fn of(mut seen: Seen) -> Self {
        seen.waits.sort();
        let at = |share: f64| {
            let last = seen.waits.len().saturating_sub(1);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index into the waits"
            )]
            let index = (last as f64 * share) as usize;
            seen.waits.get(index).copied().unwrap_or_default()
        };
        Self {
            asked: seen.waits.len() + seen.failures.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
            failures: seen.failures,
        }
    }

    /// Fails the test unless every request was answered with 2xx, and there were some.
    #[track_caller]
    pub(crate) fn assert_none_failed(&self) {
        assert!(self.asked > 0, "no request was made");
        assert!(self.failures.is_empty(), "{self}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests, p50 {:?}, p99 {:?}, max {:?}", self.asked, self.p50, self.p99, self.max)?;
        let mut kinds: BTreeMap<(&str, SocketAddr, bool), usize> = BTreeMap::new();
        for failure in &self.failures {
            *kinds.entry((&failure.what, failure.router, failure.kept)).or_default() += 1;
        }
        write!(f, ", {} failed", self.failures.len())?;
        for ((what, router, kept), count) in kinds {
            let on = if kept { "a kept" } else { "a new" };
            write!(f, "\n  {count} x {what}, on {on} connection to {router}")?;
        }
        Ok(())
    }
}
