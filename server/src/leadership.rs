//! Whether this server leads: whether it is the one that acts. With a file for a database it always is. On a database
//! that servers share they take turns by a row; whoever wants to act asks in the very transaction in which it does, so
//! that it is refused if another leads by then, however long it slept.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use store::{Lead, Leadership as Seen, Store, Transaction};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::platform::Platform;

/// How long a leader that is not heard of stays one. Others count it by their own clocks, from when they saw its row
/// change, so that no two clocks need to agree.
const LEASE: Duration = Duration::from_secs(5);

/// How often a leader prolongs that, and others look.
const PERIOD: Duration = Duration::from_millis(1_500);

/// How long one question may take: so often it is asked again before the lease is over.
const QUESTION: Duration = Duration::from_secs(2);

/// How long it may take to give the lead up when the server stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// What this server knows of its lead.
pub struct Leadership {
    /// `NAME/…`: which server this is, and which of its processes.
    owner: String,
    lead: watch::Sender<Option<Lead>>,
}

impl Leadership {
    /// Makes one of a process that does not lead yet; the part of `owner` before a slash is the server's name.
    #[must_use]
    pub fn new(owner: String) -> Self {
        Self { owner, lead: watch::Sender::default() }
    }

    /// Takes the lead whoever had it. Only for a process that knows itself to be the only one.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn take(&self, store: &Store, address: &str) -> store::Result<()> {
        let mut tx = store.write().await?;
        let seen = store::find_leadership(&mut tx).await?;
        let lead = store::take_lead(&mut tx, &seen, (&self.owner, address), until()).await?;
        tx.commit().await?;
        self.set(lead);
        Ok(())
    }

    /// Returns the term in which this server leads, as far as it knows.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.lead.borrow().as_ref().map(|lead| lead.term)
    }

    /// Returns once this server leads.
    pub async fn led(&self) {
        if self.lead.subscribe().wait_for(Option::is_some).await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns what tells when this server begins or ceases to lead.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<Lead>> {
        self.lead.subscribe()
    }

    /// Begins to write as the one that leads. Returns nothing if this server does not, or another does by now.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn write(&self, store: &Store) -> store::Result<Option<Transaction>> {
        let Some(lead) = self.lead.borrow().clone() else { return Ok(None) };
        let mut tx = store.write().await?;
        if store::hold_lead(&mut tx, &lead, until()).await? {
            return Ok(Some(tx));
        }
        self.lose(&lead, "another server leads");
        Ok(None)
    }

    fn set(&self, lead: Option<Lead>) {
        self.lead.send_replace(lead);
    }

    /// Ceases to lead, unless it has begun anew since.
    fn lose(&self, lead: &Lead, why: &str) {
        let lost = self.lead.send_if_modified(|present| {
            let is_this = present.as_ref() == Some(lead);
            if is_this {
                *present = None;
            }
            is_this
        });
        if lost {
            warn!(term = lead.term, "this server no longer leads: {why}");
        }
    }

    /// Tells whether a leader is an earlier process of this server, whose lock this one has.
    fn is_predecessor(&self, owner: &str) -> bool {
        owner.split('/').next() == self.owner.split('/').next()
    }
}

fn until() -> Timestamp {
    Timestamp::now() + SignedDuration::try_from(LEASE).unwrap_or_default()
}

/// Keeps the lead, or waits for it, until it is told to stop; then it gives it up.
pub(crate) async fn run(platform: std::sync::Arc<Platform>, stop: CancellationToken) {
    if platform.store.is_shared() {
        let mut candidate = Candidate { platform: &platform, seen: None, held_at: Instant::now() };
        while stop.run_until_cancelled(candidate.step()).await.is_some()
            && stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some()
        {}
        candidate.leave().await;
    } else {
        stop.cancelled().await;
    }
}

struct Candidate<'a> {
    platform: &'a Platform,
    /// The row as it was last seen to change, and when that was.
    seen: Option<(Seen, Instant)>,
    /// When the lead was last prolonged.
    held_at: Instant,
}

impl Candidate<'_> {
    async fn step(&mut self) {
        let leadership = &self.platform.leadership;
        let lead = leadership.lead.borrow().clone();
        match lead {
            Some(lead) => self.keep(&lead).await,
            None => match tokio::time::timeout(LEASE * 2, self.look()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(error = format!("{:#}", anyhow::Error::from(error)), "nobody knows who leads")
                }
                Err(_) => warn!("the database does not say who leads"),
            },
        }
    }

    async fn keep(&mut self, lead: &Lead) {
        let begun = Instant::now();
        match tokio::time::timeout(QUESTION, self.platform.store.prolong_lead(lead, until())).await {
            Ok(Ok(true)) => self.held_at = begun,
            Ok(Ok(false)) => self.platform.leadership.lose(lead, "another server leads"),
            // A transaction of its own that is under way prolongs it as well, and may be what this waits for.
            _ if self.held_at.elapsed() > LEASE => {
                self.platform.leadership.lose(lead, "the database does not answer");
            }
            _ => {}
        }
    }

    /// Looks whether the one that leads is still heard of, and leads instead if not.
    async fn look(&mut self) -> store::Result<()> {
        let mut db = self.platform.store.read().await?;
        let now = store::find_leadership(&mut db).await?;
        drop(db);
        let leadership = &self.platform.leadership;
        let since = match &self.seen {
            Some((seen, since)) if *seen == now => *since,
            _ => Instant::now(),
        };
        self.seen = Some((now.clone(), since));
        let is_free = now.until == Timestamp::UNIX_EPOCH;
        let is_mine = now.owner.as_ref().is_some_and(|owner| leadership.is_predecessor(owner));
        if !is_free && !is_mine && since.elapsed() < LEASE {
            return Ok(());
        }
        let begun = Instant::now();
        let address = self.platform.options.listen.to_string();
        let mut tx = self.platform.store.write().await?;
        let lead = store::take_lead(&mut tx, &now, (&leadership.owner, &address), until()).await?;
        tx.commit().await?;
        if let Some(lead) = lead {
            info!(term = lead.term, "this server leads");
            self.held_at = begun;
            leadership.set(Some(lead));
            self.platform.wished();
            self.platform.builds.wake.notify_one();
        }
        Ok(())
    }

    async fn leave(&self) {
        let Some(lead) = self.platform.leadership.lead.send_replace(None) else { return };
        let given_up = async { self.platform.store.prolong_lead(&lead, Timestamp::UNIX_EPOCH).await };
        if !matches!(tokio::time::timeout(FAREWELL, given_up).await, Ok(Ok(_))) {
            warn!("the lead could not be given up; another server takes it in {} s", LEASE.as_secs());
        }
    }
}
