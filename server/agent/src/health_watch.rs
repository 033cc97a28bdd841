//! Watches the health of one run until it is told to stop, and tells of changes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use model::health::ProbeFailure;
use model::replica::ReplicaSpec;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::engine::Engine;
use crate::health::{Health, PROMPT, Pulse};
use crate::host::Event;
use crate::probe::Probe;

/// How often the processes of a replica that does not listen are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What changed in the health of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Felt {
    pub(crate) health: Health,
    /// Where it answered.
    pub(crate) address: Option<SocketAddr>,
    /// Why the last probe failed.
    pub(crate) failure: Option<ProbeFailure>,
    /// It should have been healthy by now and never was.
    pub(crate) late: bool,
    /// It takes longer to answer than it may if others are there.
    pub(crate) silent: bool,
}

/// One run to watch.
pub(crate) struct Watched {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) spec: ReplicaSpec,
    /// Where it should listen, if it should.
    pub(crate) port: Option<u16>,
    /// Where this host probes.
    pub(crate) probe_ip: IpAddr,
    /// Where it answered to an earlier agent.
    pub(crate) answered: Option<SocketAddr>,
    pub(crate) was_healthy: bool,
    /// Whether there are others of its kind.
    pub(crate) accompanied: Arc<AtomicBool>,
    /// Tells that it should be asked now.
    pub(crate) doubt: Arc<Notify>,
    /// How long it has been up.
    pub(crate) up: Duration,
    /// The number of this run.
    pub(crate) run: u32,
    /// Who is told.
    pub(crate) events: mpsc::Sender<Event>,
}

impl Watched {
    /// Watches for as long as it is polled.
    pub(crate) async fn watch(self) {
        let started = Instant::now().checked_sub(self.up).unwrap_or_else(Instant::now);
        match self.port {
            Some(port) => self.watch_port(port, started).await,
            None => {
                let settle = Duration::from_millis(self.spec.health.settle_ms.into());
                tokio::time::sleep(settle.saturating_sub(started.elapsed())).await;
                let health = Health::Healthy;
                self.tell(Felt { health, address: None, failure: None, late: false, silent: false }).await;
            }
        }
    }

    async fn watch_port(&self, port: u16, started: Instant) {
        let mut probe = self.probe(port, self.engine.ip(self.spec.id).await);
        let mut pulse = Pulse::new(self.was_healthy);
        let boot = Duration::from_secs(self.spec.health.boot_seconds.into());
        let mut told: Option<Felt> = None;
        // Not at once: looking takes longer than many a boot.
        let mut elsewhere = (started, Vec::new());
        let mut address = self.answered;
        loop {
            let mut asked = self.ask(&probe, port, pulse.health(), &mut told).await;
            if let Err(ProbeFailure::NotListening { port, elsewhere: found }) = &mut asked {
                self.look(&mut elsewhere).await;
                // It may have begun to listen where it should since it was asked.
                let is_asked = |found: &SocketAddr| {
                    let everywhere = found.ip().is_unspecified() && found.port() == *port;
                    everywhere || probe.addresses.contains(found)
                };
                found.extend(elsewhere.1.iter().filter(|found| !is_asked(found)));
            }
            if let Ok(answered) = asked {
                address = Some(answered);
                // The one that answered is asked first from now on.
                probe.addresses.sort_by_key(|candidate| *candidate != answered);
            }
            let outcome = asked.as_ref().map(|_| ());
            pulse.note(outcome);
            let felt = Felt {
                health: pulse.health(),
                address,
                failure: outcome.err().cloned(),
                late: pulse.health() == Health::Booting && started.elapsed() >= boot,
                silent: self.accompanied.load(Relaxed)
                    && matches!(outcome, Err(ProbeFailure::NoAnswer { .. })),
            };
            if told.as_ref() != Some(&felt) {
                self.tell(felt.clone()).await;
                told = Some(felt);
            }
            // Asked sooner than that only if somebody has a reason to.
            let _ = timeout(pulse.pause(outcome, started.elapsed()), self.doubt.notified()).await;
        }
    }

    /// Probes once. One that is healthy and does not answer promptly is told of at once if others can take its place,
    /// and is waited for all the same.
    async fn ask(
        &self,
        probe: &Probe,
        port: u16,
        health: Health,
        told: &mut Option<Felt>,
    ) -> Result<SocketAddr, ProbeFailure> {
        let known = health != Health::Booting;
        let mut asking = pin!(probe.ask(async { known || self.is_its_own(port).await }));
        if let Ok(asked) = timeout(PROMPT, asking.as_mut()).await {
            return asked;
        }
        if health == Health::Healthy && self.accompanied.load(Relaxed) {
            let before = told.take();
            let address = before.as_ref().map_or(self.answered, |felt| felt.address);
            let failure = before.and_then(|felt| felt.failure);
            let felt = Felt { health, address, failure, late: false, silent: true };
            self.tell(felt.clone()).await;
            *told = Some(felt);
        }
        asking.await
    }

    async fn tell(&self, felt: Felt) {
        // A host that is gone wants to know nothing.
        let _ = self.events.send(Event::Felt(self.spec.id, self.run, felt)).await;
    }

    fn probe(&self, port: u16, own: Option<IpAddr>) -> Probe {
        let mut addresses = vec![SocketAddr::new(own.unwrap_or(self.probe_ip), port)];
        if own.is_none() && self.probe_ip.is_loopback() {
            addresses.push(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        }
        addresses.sort_by_key(|candidate| Some(*candidate) != self.answered);
        Probe { addresses, host: self.spec.host_header.clone(), check: self.spec.health.clone() }
    }

    /// Tells whether the listener on its port is its own, and not of another app that came first.
    async fn is_its_own(&self, port: u16) -> bool {
        let listening = self.engine.listening(self.spec.id).await;
        listening.is_none_or(|addresses| addresses.iter().any(|address| address.port() == port))
    }

    async fn look(&self, elsewhere: &mut (Instant, Vec<SocketAddr>)) {
        if elsewhere.0.elapsed() >= LOOK {
            let found = self.engine.listening(self.spec.id).await.unwrap_or_default();
            *elsewhere = (Instant::now(), found);
        }
    }
}
