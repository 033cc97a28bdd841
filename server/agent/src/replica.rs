//! One replica as the agent sees it: its spec, what is kept of it, what is observed, and the phase that follows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};
use model::exit::{Exit, ExitCause};
use model::health::ProbeFailure;
use model::replica::{Phase, ReplicaSpec, ReplicaStatus, Wish};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backoff;
use crate::converge::{Run, Seen, Stopping};
use crate::health::Health;
use crate::meter::Meter;
use crate::record::Record;
use crate::words;

/// The stop time of a replica whose spec is lost, in seconds.
const STOP_SECONDS: u32 = 30;

/// One replica.
pub(crate) struct Replica {
    /// What it is; nothing for one that was found without.
    pub(crate) spec: Option<ReplicaSpec>,
    /// The control plane still asks for it.
    pub(crate) desired: bool,
    pub(crate) record: Record,
    pub(crate) run: Run,
    /// The step that is under way.
    pub(crate) busy: Option<Busy>,
    pub(crate) leftovers: bool,
    pub(crate) health: Health,
    pub(crate) probe: Option<ProbeFailure>,
    /// It has not answered the last probe yet.
    pub(crate) silent: bool,
    /// Others of its process type run here, so that it can be done without.
    pub(crate) accompanied: Arc<AtomicBool>,
    /// Has it probed at once.
    pub(crate) doubt: Arc<Notify>,
    /// What this run uses.
    pub(crate) meter: Meter,
    /// It was said that it takes too long to boot.
    pub(crate) late: bool,
    /// Ends the tasks that watch this run.
    pub(crate) watch: Option<DropGuard>,
    pub(crate) phase: Phase,
    pub(crate) since: Timestamp,
}

/// A step that is under way.
pub(crate) struct Busy {
    /// It is a start.
    pub(crate) starting: bool,
    /// Cuts it off.
    pub(crate) cut_off: CancellationToken,
}

impl Replica {
    /// Returns a replica that was never started.
    pub(crate) fn new(spec: Option<ReplicaSpec>, now: Timestamp) -> Self {
        Self {
            spec,
            desired: false,
            record: Record::default(),
            run: Run::Never,
            busy: None,
            leftovers: false,
            health: Health::Booting,
            probe: None,
            silent: false,
            accompanied: Arc::default(),
            doubt: Arc::default(),
            meter: Meter::default(),
            late: false,
            watch: None,
            phase: Phase::Starting,
            since: now,
        }
    }

    /// Returns a replica whose directory was found, with what is known of its run.
    pub(crate) fn found(spec: Option<ReplicaSpec>, record: Record, running: bool, now: Timestamp) -> Self {
        let since = record.started.unwrap_or(now);
        let stopping = record.stop.map(|(_, since)| Stopping { since, killed: false });
        let ended = record.last_exit.as_ref().map_or(now, |exit| exit.at);
        let health = if record.healthy { Health::Healthy } else { Health::Booting };
        let run = if running { Run::Up { since, stopping } } else { Run::Down { at: ended } };
        Self { record, run, leftovers: true, health, since, ..Self::new(spec, now) }
    }

    /// Takes note that a run begins: where it will listen, and nothing of the run before.
    pub(crate) fn begin(&mut self, port: Option<u16>, address: Option<SocketAddr>, now: Timestamp) {
        let record = &mut self.record;
        record.runs = record.runs.saturating_add(1);
        (record.started, record.up, record.healthy, record.stop) = (Some(now), true, false, None);
        (record.port, record.address) = (port, address);
        (self.health, self.probe, self.late, self.silent) = (Health::Booting, None, false, false);
        self.leftovers = true;
    }

    /// Takes note of the end of its run, and returns what is to be said about it.
    pub(crate) fn end(&mut self, exit: Exit, now: Timestamp) -> Vec<String> {
        let wish = self.wish();
        let record = &mut self.record;
        let lines = if record.stop.is_some() {
            record.ends = 0;
            let late = self.spec.as_ref().filter(|_| words::was_killed(&exit)).map(|spec| spec.stop_seconds);
            words::stopped(&exit, late)
        } else {
            let up = record.started.map_or(SignedDuration::ZERO, |started| exit.at.duration_since(started));
            record.ends = match wish {
                Some(Wish::Run) => backoff::ends_in_a_row(record.ends, up),
                _ => 0,
            };
            let before = record.last_exit.as_ref().map(|exit| exit.cause);
            let files =
                self.meter.memory().and_then(|memory| words::files_in_memory(exit.cause, memory.files));
            let ended = words::ended(wish, (&exit, before), record.ends, backoff::pause(record.ends));
            ended.into_iter().chain(files).collect()
        };
        (record.up, record.port, record.last_exit) = (false, None, Some(exit));
        (self.run, self.watch, self.leftovers) = (Run::Down { at: now }, None, true);
        (self.health, self.probe, self.silent) = (Health::Booting, None, false);
        self.meter = Meter::default();
        lines
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            run: self.run,
            busy: self.busy.is_some(),
            leftovers: self.leftovers,
            ends: self.record.ends,
            stop_seconds: self.spec.as_ref().map_or(STOP_SECONDS, |spec| spec.stop_seconds),
        }
    }

    pub(crate) fn wish(&self) -> Option<Wish> {
        self.spec.as_ref().filter(|_| self.desired).map(|spec| spec.wish)
    }

    /// Returns where it stands.
    pub(crate) fn phase_now(&self) -> Phase {
        let refused =
            matches!(self.record.last_exit.as_ref().map(|exit| exit.cause), Some(ExitCause::NotStarted));
        match (self.run, self.wish()) {
            (Run::Up { stopping: Some(_), .. }, _) => Phase::Stopping,
            (Run::Up { .. }, _) => match self.health {
                Health::Booting => Phase::Starting,
                Health::Healthy => Phase::Healthy,
                Health::Unhealthy => Phase::Unhealthy,
            },
            (_, Some(Wish::Stop) | None) => Phase::Ended,
            (Run::Never, _) => Phase::Starting,
            // A start that is under way after a pause.
            (_, Some(Wish::Run)) if self.busy.is_some() => Phase::Starting,
            (Run::Down { .. }, Some(Wish::Run)) => Phase::Backoff,
            (Run::Refused { for_good, .. }, Some(Wish::Run)) => {
                if for_good {
                    Phase::Impossible
                } else {
                    Phase::Backoff
                }
            }
            (Run::Refused { .. }, Some(Wish::Once { .. })) => Phase::Impossible,
            (Run::Down { .. }, Some(Wish::Once { .. })) if refused => Phase::Impossible,
            (Run::Down { .. }, Some(Wish::Once { .. })) => Phase::Ended,
        }
    }

    /// Returns where requests may be sent, or will be once it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let up = matches!(self.run, Run::Up { .. });
        self.record.address.filter(|_| up)
    }

    /// Returns what is reported of it.
    pub(crate) fn status(&self, id: model::id::ReplicaId) -> ReplicaStatus {
        let up = matches!(self.run, Run::Up { .. });
        ReplicaStatus {
            id,
            role: self.spec.as_ref().map(ReplicaSpec::role),
            phase: self.phase,
            since: self.since,
            address: self.address(),
            restarts: self.record.runs.saturating_sub(1),
            last_exit: self.record.last_exit.clone(),
            probe: self.probe.clone().filter(|_| up),
            silent: self.silent && up,
            memory_bytes: self.meter.memory().filter(|_| up).map(|memory| memory.bytes),
            cpu: self.meter.cpu().filter(|_| up),
        }
    }
}
