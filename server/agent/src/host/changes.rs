//! Takes note of what happened to replicas.

use jiff::Timestamp;
use model::exit::{Exit, ExitCause};
use model::id::ReplicaId;
use model::metrics::{HostMinute, ReplicaMinute};
use model::replica::Wish;

use super::{Event, Host};
use crate::atomic::Durability;
use crate::backoff;
use crate::converge::{Run, Step, Stopping, Why};
use crate::engine::EngineError;
use crate::health::Health;
use crate::health_watch::Felt;
use crate::replica::Replica;
use crate::words;

impl Host {
    /// Takes note of one event.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Done(step, outcome) => self.note_step(step, outcome),
            Event::Ended(id, run, exit) => self.note_end(id, run, exit),
            Event::Felt(id, run, felt) => self.note_health(id, run, felt),
            Event::Doubted(ids) => {
                let doubted = ids.iter().filter_map(|id| self.replicas.get(id));
                doubted.for_each(|replica| replica.doubt.notify_one());
            }
            Event::Drill => self.drill(),
            Event::Collect => self.look_at_belongings(),
            Event::Belongs(belongings) => self.note_belongings(belongings),
            Event::Measured(measured, look) => {
                self.machine.note(look);
                for (id, usage, at) in measured {
                    if let Some(replica) = self.replicas.get_mut(&id) {
                        replica.meter.note(usage, at);
                    }
                }
                self.parts.minutes.note(self.measured(Timestamp::now()));
            }
        }
    }

    /// Returns what was measured last.
    fn measured(&self, now: Timestamp) -> HostMinute {
        let replica = |(id, replica): (&ReplicaId, &Replica)| {
            let (status, spec) = (replica.status(*id), replica.spec.as_ref()?);
            let reading = status.reading()?;
            Some(ReplicaMinute {
                id: *id,
                app: spec.app,
                process: spec.process.clone(),
                number: spec.number,
                reading,
            })
        };
        HostMinute {
            minute: u64::try_from(now.as_second()).unwrap_or_default() / 60,
            in_use: self.machine.in_use().unwrap_or_default(),
            replicas: self.replicas.iter().filter_map(replica).collect(),
        }
    }

    fn note_step(&mut self, step: Step, outcome: Result<(), EngineError>) {
        let now = Timestamp::now();
        if let Err(error) = &outcome {
            tracing::debug!(error = format!("{error:#}"), "could not {step:?}");
        }
        match (step, outcome) {
            (Step::Start(id), Ok(())) => self.note_start(id, now),
            (Step::Start(id), Err(error)) => self.note_refusal(id, &error, now),
            (Step::Kill(id), Ok(())) => self.change(id, |replica| {
                if let Run::Up { stopping: Some(stopping), .. } = &mut replica.run {
                    stopping.killed = true;
                }
            }),
            (Step::Clean(id), Ok(())) => self.change(id, |replica| replica.leftovers = false),
            (Step::Forget(id), Ok(())) => {
                // Unless it is asked for again by now, with its old end still known.
                if self.replicas.get(&id).is_some_and(|replica| !replica.desired) {
                    self.replicas.remove(&id);
                } else {
                    self.change(id, |replica| replica.leftovers = false);
                }
            }
            (Step::Stop(id, _), _) | (Step::Kill(id) | Step::Clean(id) | Step::Forget(id), Err(_)) => {
                self.change(id, |_| {});
            }
        }
    }

    /// Changes a replica whose step is over.
    fn change(&mut self, id: ReplicaId, change: impl FnOnce(&mut crate::replica::Replica)) {
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.busy = None;
            change(replica);
        }
    }

    fn note_start(&mut self, id: ReplicaId, now: Timestamp) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        replica.busy = None;
        replica.run = Run::Up { since: now, stopping: None };
        self.watch(id, now);
    }

    fn note_refusal(&mut self, id: ReplicaId, error: &EngineError, now: Timestamp) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        let reason = match error {
            EngineError::Impossible(reason) => reason.clone(),
            EngineError::Failed(error) => format!("{error:#}"),
        };
        let cut_off = replica.busy.take().is_some_and(|step| step.cut_off.is_cancelled());
        let for_good = matches!(error, EngineError::Impossible(_));
        replica.run = Run::Refused { at: now, for_good };
        replica.leftovers = true;
        let record = &mut replica.record;
        let known = record.last_exit.as_ref().is_some_and(|exit| exit.last_lines == [reason.as_str()]);
        record.up = false;
        record.ends = record.ends.saturating_add(1);
        record.last_exit =
            Some(Exit { cause: ExitCause::NotStarted, at: now, last_lines: vec![reason.clone()] });
        if let Some(port) = record.port.take() {
            self.parts.ports.give_back(port);
        }
        let again = matches!(replica.wish(), Some(Wish::Run)).then(|| backoff::pause(replica.record.ends));
        if let Some(spec) = replica.spec.as_ref().filter(|_| !known && !cut_off) {
            self.parts.journal.say(spec, &words::not_started(&reason, again));
        }
        self.keep(id);
    }

    /// Takes note of the end of a run.
    pub(super) fn note_end(&mut self, id: ReplicaId, run: u32, mut exit: Exit) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        if replica.record.runs != run || !replica.record.up {
            return;
        }
        if let Some((Why::TimeLimit(seconds), _)) = replica.record.stop {
            exit.cause = ExitCause::TimeLimit(seconds);
        }
        let port = replica.record.port;
        let lines = replica.end(exit, Timestamp::now());
        if let Some(port) = port {
            self.parts.ports.give_back(port);
        }
        if let Some(spec) = &replica.spec {
            for line in lines {
                self.parts.journal.say(spec, &line);
            }
        }
        self.keep(id);
    }

    fn note_health(&mut self, id: ReplicaId, run: u32, felt: Felt) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        if replica.record.runs != run || !replica.record.up {
            return;
        }
        let first = felt.health == Health::Healthy && !replica.record.healthy;
        let moved = felt.address.is_some() && felt.address != replica.record.address;
        (replica.health, replica.probe, replica.silent) = (felt.health, felt.failure, felt.silent);
        if felt.late
            && !std::mem::replace(&mut replica.late, true)
            && let Some(spec) = &replica.spec
        {
            self.parts.journal.say(spec, &words::boot_timeout(spec, replica.probe.as_ref()));
        }
        if first || moved {
            replica.record.healthy |= first;
            replica.record.address = felt.address.or(replica.record.address);
            self.keep(id);
        }
    }

    /// Writes down what is known of a replica, for the next agent.
    pub(super) fn keep(&self, id: ReplicaId) {
        let Some(replica) = self.replicas.get(&id) else { return };
        if let Err(error) = replica.record.write(&self.dir(id), Durability::Cached) {
            tracing::warn!(%error, replica = %id, "cannot keep the state of a replica");
        }
    }

    /// Marks a replica as told to end.
    pub(super) fn mark_stopping(&mut self, id: ReplicaId, why: Why, now: Timestamp) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        if let Run::Up { since, .. } = replica.run {
            replica.run = Run::Up { since, stopping: Some(Stopping { since: now, killed: false }) };
        }
        replica.record.stop = Some((why, now));
        self.keep(id);
    }
}
