//! Asks a web replica through the router's real entrance, so that "succeeded" means what a visitor would see.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use model::id::ReplicaId;
use router::{PROBE_HEADER, PROBE_MISS_HEADER, ProbeSecret};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tracing::debug;

use crate::platform::Platform;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How long after a failed question the next one is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// Questions at a time; the replicas of a large rollout become healthy at once.
const QUESTIONS: usize = 64;

/// The way in for probes.
#[derive(Clone)]
pub struct Entrance {
    address: SocketAddr,
    secret: ProbeSecret,
    asking: Arc<Mutex<BTreeSet<ReplicaId>>>,
    turns: Arc<Semaphore>,
}

/// What is asked of whom.
pub(super) struct Question {
    pub(super) replica: ReplicaId,
    pub(super) host: String,
    pub(super) path: String,
}

impl Entrance {
    /// Probes through the router that listens at the address.
    #[must_use]
    pub fn new(address: SocketAddr, secret: ProbeSecret) -> Self {
        Self { address, secret, asking: Arc::default(), turns: Arc::new(Semaphore::new(QUESTIONS)) }
    }

    /// Asks in the background, once at a time for each replica, and wakes the loop with the answer.
    pub(super) fn ask(&self, platform: &Arc<Platform>, question: Question) {
        if !self.lock().insert(question.replica) {
            return;
        }
        let (entrance, platform) = (self.clone(), platform.clone());
        tokio::spawn(async move {
            let id = question.replica;
            let turn = entrance.turns.acquire().await;
            let answer = tokio::time::timeout(LIMIT, entrance.question(question)).await;
            match answer {
                Ok(Ok(())) => platform.facts.verify(id),
                Ok(Err(error)) => {
                    debug!(replica.id = %id, error = format!("{error:#}"), "no answer through the router yet");
                    drop(turn);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(_) => debug!(replica.id = %id, "no answer through the router in time"),
            }
            entrance.lock().remove(&id);
            platform.facts.wake();
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<ReplicaId>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn question(&self, question: Question) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.address).await.context("cannot connect to the router")?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let header =
            self.secret.header(&question.replica.to_string()).context("no header for this replica")?;
        let request = hyper::Request::get(&question.path)
            .header(HOST, &question.host)
            .header("user-agent", "paas-probe")
            .header(PROBE_HEADER, header)
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await;
        driver.abort();
        let response = response?;
        if response.headers().contains_key(PROBE_MISS_HEADER) {
            bail!("the replica is not in the table yet");
        }
        if response.status().is_server_error() {
            bail!("the answer is {}", response.status());
        }
        Ok(())
    }
}
