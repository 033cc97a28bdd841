//! Watches how long a connection of a visitor has been in its present phase, for the time limits.
//!
//! Entering a phase or moving bytes only stores the moment; one timer per connection is set again when it fires
//! early. So time limits cost a request no timer of its own.

use crate::clock;
use crate::options::Timeouts;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until};

/// What is happening on a visitor's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Waiting for a request.
    Idle,
    /// Reading the head of a request.
    Head,
    /// Receiving the body of a request.
    Upload,
    /// Waiting for a replica's answer, the request being sent.
    Wait,
    /// Sending the answer.
    Respond,
    /// Carrying bytes of another protocol.
    Tunnel,
}

const PHASES: [Phase; 6] =
    [Phase::Idle, Phase::Head, Phase::Upload, Phase::Wait, Phase::Respond, Phase::Tunnel];

/// The present phase and since when nothing has moved in it.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: AtomicU8,
    since: AtomicU64,
    stalled: AtomicBool,
    left: AtomicBool,
    broken: AtomicBool,
    limits: Arc<Timeouts>,
}

impl Watch {
    /// Begins to watch an idle connection.
    pub(crate) fn new(limits: Arc<Timeouts>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU64::new(clock::now()),
            stalled: AtomicBool::new(false),
            left: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            limits,
        }
    }

    /// Returns the present phase.
    pub(crate) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Relaxed))]
    }

    /// Enters `phase` now.
    pub(crate) fn enter(&self, phase: Phase) {
        self.touch();
        self.phase.store(phase as u8, Relaxed);
    }

    /// Notes that a part of the answer came from the replica.
    pub(crate) fn touch(&self) {
        self.since.store(clock::now(), Relaxed);
    }

    /// Notes that bytes came from the visitor.
    pub(crate) fn received(&self) {
        match self.phase() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Upload | Phase::Respond | Phase::Tunnel => self.touch(),
            // Trickled bytes must not extend the time for a head, nor pipelined ones that for an answer.
            Phase::Head | Phase::Wait => {}
        }
    }

    /// Notes that bytes went to the visitor.
    pub(crate) fn sent(&self) {
        if matches!(self.phase(), Phase::Idle | Phase::Respond | Phase::Tunnel) {
            self.touch();
        }
    }

    /// Notes whether an upload waits for the visitor, not for the replica.
    pub(crate) fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Relaxed);
    }

    /// Returns whether an upload waits for the visitor.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Relaxed)
    }

    /// Notes that the body of a request has arrived whole, so that the time for the answer begins.
    pub(crate) fn uploaded(&self) {
        if self.phase() == Phase::Upload {
            self.enter(Phase::Wait);
        }
    }

    /// Notes that the visitor sent a body that is malformed, so that the fault is not the replica's.
    pub(crate) fn set_broken(&self) {
        self.broken.store(true, Relaxed);
    }

    /// Notes that the visitor left in the middle of a body.
    pub(crate) fn set_left(&self) {
        self.left.store(true, Relaxed);
    }

    /// Returns whether the visitor left in the middle of a body.
    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// Returns whether the visitor sent a malformed body.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Returns whether the present phase has taken too long.
    pub(crate) fn is_expired(&self) -> bool {
        clock::now() >= self.due()
    }

    /// Returns when the present phase will have taken too long.
    fn due(&self) -> u64 {
        let limit = match self.phase() {
            Phase::Idle => self.limits.keep_alive,
            Phase::Head => self.limits.header,
            Phase::Upload | Phase::Respond => self.limits.idle,
            Phase::Wait => self.limits.first_byte,
            Phase::Tunnel => self.limits.tunnel,
        };
        let limit = limit.min(Duration::from_millis(LONGEST));
        let limit = limit.as_secs() * 1_000 + u64::from(limit.subsec_millis());
        self.since.load(Relaxed).saturating_add(limit)
    }
}

/// The one timer of a connection, for the task that first polls it.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it rings, once it is set.
    rings: Option<u64>,
}

/// No limit is longer than a day, so that no moment overflows the clock.
const LONGEST: u64 = 86_400_000;

impl Alarm {
    /// Makes an alarm that is not set yet.
    pub(crate) fn new() -> Self {
        let sleep = sleep_until((Instant::now() + Duration::from_millis(LONGEST)).into());
        Self { sleep: Box::pin(sleep), rings: None }
    }

    /// Returns ready when the watched connection has been in its phase for too long at `now`, which has just been
    /// read from the clock.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, watch: &Watch, now: u64) -> Poll<()> {
        let due = watch.due();
        if self.rings.is_some_and(|rings| now < rings && rings <= due) {
            return Poll::Pending;
        }
        if due <= now {
            return Poll::Ready(());
        }
        self.sleep.as_mut().reset(clock::instant(due).into());
        self.rings = Some(due);
        if self.sleep.as_mut().poll(cx).is_ready() {
            // The clock went on in between: it is looked at once more.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(millis: u64) -> Watch {
        let limit = Duration::from_millis(millis);
        Watch::new(Arc::new(Timeouts {
            header: limit,
            first_byte: limit,
            idle: limit,
            keep_alive: Duration::from_secs(1_000),
            ..Timeouts::default()
        }))
    }

    #[tokio::test]
    async fn the_alarm_rings_when_a_later_phase_takes_too_long() {
        let watch = watch(20);
        let mut alarm = Alarm::new();
        assert!(
            futures::poll!(std::future::poll_fn(|cx| alarm.poll(cx, &watch, clock::tick()))).is_pending()
        );
        watch.enter(Phase::Wait);
        let began = Instant::now();
        std::future::poll_fn(|cx| alarm.poll(cx, &watch, clock::tick())).await;
        assert!(watch.is_expired() && began.elapsed() >= Duration::from_millis(19));
    }

    #[test]
    fn trickled_bytes_do_not_extend_the_time_for_a_head_but_do_for_a_body() {
        let watch = watch(1_000);
        watch.received();
        assert_eq!(watch.phase(), Phase::Head);
        watch.since.store(u64::MAX, Relaxed);
        watch.received();
        assert_eq!(watch.since.load(Relaxed), u64::MAX);
        watch.enter(Phase::Upload);
        watch.since.store(u64::MAX, Relaxed);
        watch.received();
        assert!(watch.since.load(Relaxed) < u64::MAX);
    }
}
