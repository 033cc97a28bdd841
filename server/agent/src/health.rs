//! Decides how healthy a replica is from its probes, and when to probe again. It probes nothing itself.

use std::time::Duration;

use model::health::ProbeFailure;

/// The pause between the probes of a healthy replica. Each is a line in the log of many a server, so they are few: whoever
/// sees that requests are not answered says so, and then it is asked at once.
const STEADY: Duration = Duration::from_secs(30);
/// The same for a while after it became healthy, when what is new may still turn out to be bad.
const FRESH: Duration = Duration::from_secs(5);
/// Good probes in a row after which it is not fresh any more.
const FRESH_PROBES: u32 = 12;
/// How long a healthy replica may take to answer a probe before requests had better go to others.
pub const PROMPT: Duration = Duration::from_millis(750);
/// The pause after a failure: the second failure in a row decides, and the first success brings it back.
const DOUBT: Duration = Duration::from_millis(500);
/// The bounds of the pause while it boots.
const BOOT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// The pause while it boots and answers with server errors or not at all: it is up, but not yet of use.
const BOOT_ERRORS: Duration = Duration::from_millis(250);
/// Failures in a row that make a healthy replica unhealthy.
const FAILURES: u32 = 2;

/// How healthy a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It has not been healthy yet.
    Booting,
    /// Its last probes were good.
    Healthy,
    /// It was healthy and is not.
    Unhealthy,
}

/// The health of one run of a replica, over its probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    health: Health,
    failures: u32,
    /// Good probes in a row.
    good: u32,
}

impl Pulse {
    /// Returns the pulse of a run that begins, or that was already healthy when an earlier agent watched it.
    pub(crate) fn new(was_healthy: bool) -> Self {
        let health = if was_healthy { Health::Healthy } else { Health::Booting };
        Self { health, failures: 0, good: 0 }
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// Takes note of a probe.
    pub(crate) fn note(&mut self, probe: Result<(), &ProbeFailure>) {
        match probe {
            Ok(()) => *self = Self { good: self.good.saturating_add(1), ..Self::new(true) },
            Err(failure) => {
                self.good = 0;
                self.failures = self.failures.saturating_add(1);
                // Nothing listens any more: there is no doubt to wait out.
                let certain = matches!(failure, ProbeFailure::NotListening { .. });
                if self.health == Health::Healthy && (certain || self.failures >= FAILURES) {
                    self.health = Health::Unhealthy;
                }
            }
        }
    }

    /// Returns how long to wait before the next probe, `up` after the start and after this probe.
    ///
    /// While nothing listens the pause is a twentieth of the boot so far, so that waiting adds little to it.
    pub(crate) fn pause(&self, probe: Result<(), &ProbeFailure>, up: Duration) -> Duration {
        match (self.health, probe) {
            (_, Ok(())) if self.good <= FRESH_PROBES => FRESH,
            (_, Ok(())) => STEADY,
            (Health::Booting, Err(ProbeFailure::NotListening { .. })) => (up / 20).clamp(BOOT.0, BOOT.1),
            (Health::Booting, Err(_)) => BOOT_ERRORS,
            (Health::Healthy | Health::Unhealthy, Err(_)) => DOUBT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: ProbeFailure = ProbeFailure::NotListening { port: 1, elsewhere: Vec::new() };

    fn error() -> ProbeFailure {
        ProbeFailure::Status { path: "/".to_owned(), status: 500, body: String::new() }
    }

    #[test]
    fn two_failures_in_a_row_make_unhealthy_and_one_success_brings_it_back() {
        let mut pulse = Pulse::new(true);
        pulse.note(Err(&error()));
        pulse.note(Ok(()));
        pulse.note(Err(&error()));
        assert_eq!(pulse.health(), Health::Healthy);
        pulse.note(Err(&error()));
        assert_eq!(pulse.health(), Health::Unhealthy);
        pulse.note(Ok(()));
        assert_eq!(pulse.health(), Health::Healthy);
    }

    #[test]
    fn a_refused_connection_is_enough() {
        let mut pulse = Pulse::new(true);
        pulse.note(Err(&GONE));
        assert_eq!(pulse.health(), Health::Unhealthy);
    }

    #[test]
    fn a_replica_boots_until_it_is_healthy_once() {
        let mut pulse = Pulse::new(false);
        for _ in 0..100 {
            pulse.note(Err(&GONE));
        }
        assert_eq!(pulse.health(), Health::Booting);
    }

    #[test]
    fn waiting_for_a_boot_adds_a_twentieth_to_it_within_bounds() {
        let pulse = Pulse::new(false);
        let pause = |ms| pulse.pause(Err(&GONE), Duration::from_millis(ms)).as_millis();
        assert_eq!([pause(0), pause(400), pause(60_000)], [5, 20, 250]);
    }

    #[test]
    fn one_that_is_well_is_asked_seldom_and_more_often_after_a_failure() {
        let mut pulse = Pulse::new(false);
        let probes = |pulse: &mut Pulse, limit| {
            let (mut at, mut probes) = (Duration::ZERO, 0);
            while at < limit {
                pulse.note(Ok(()));
                at += pulse.pause(Ok(()), Duration::ZERO);
                probes += 1;
            }
            probes
        };
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
        assert_eq!(probes(&mut pulse, minute), 12);
        assert!(probes(&mut pulse, hour) <= 121);
        pulse.note(Err(&error()));
        assert_eq!(pulse.pause(Err(&error()), Duration::ZERO), DOUBT);
        assert_eq!(probes(&mut pulse, minute), 12);
    }
}
