//! What a run of a replica uses, from one measurement to the next. It measures nothing itself.

use std::time::{Duration, Instant};

use model::replica::CpuUse;

use crate::engine::{Memory, Usage};

/// Memory is reported in steps of this many bytes, so that noise makes no news.
const MEMORY_STEP: u64 = 1 << 20;

/// Processor time is reported in steps of this many milliseconds, and of this many thousandths of a core, for the same
/// reason.
const CPU_STEP_MS: u64 = 100;
const RATE_STEP: u128 = 5;

/// The latest measurements of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    memory: Option<Memory>,
    cpu: Option<(Duration, Instant)>,
    millicores: Option<u32>,
}

impl Meter {
    /// Takes note of a measurement.
    pub(crate) fn note(&mut self, usage: Usage, at: Instant) {
        let step = |bytes| bytes / MEMORY_STEP * MEMORY_STEP;
        self.memory =
            usage.memory.map(|memory| Memory { bytes: step(memory.bytes), files: step(memory.files) });
        let before = std::mem::replace(&mut self.cpu, usage.cpu.map(|used| (used, at)));
        self.millicores = match (before, self.cpu) {
            (Some((used_before, before)), Some((used, at))) => {
                rate(used.checked_sub(used_before), at - before)
            }
            _ => None,
        };
    }

    /// Returns the memory in use, where it is counted.
    pub(crate) fn memory(&self) -> Option<Memory> {
        self.memory
    }

    /// Returns the processor time, where it is counted.
    pub(crate) fn cpu(&self) -> Option<CpuUse> {
        let (used, _) = self.cpu?;
        let used_ms = u64::try_from(used.as_millis()).unwrap_or(u64::MAX) / CPU_STEP_MS * CPU_STEP_MS;
        Some(CpuUse { used_ms, millicores: self.millicores })
    }
}

/// Returns thousandths of a core; nothing if the time went backwards, as it does with a new group of processes.
fn rate(used: Option<Duration>, within: Duration) -> Option<u32> {
    let thousandths = used?.as_micros().saturating_mul(1_000).checked_div(within.as_micros())?;
    u32::try_from((thousandths + RATE_STEP / 2) / RATE_STEP * RATE_STEP).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(ms: u64) -> Usage {
        Usage {
            memory: Some(Memory { bytes: (3 << 20) + 5, files: 1 }),
            cpu: Some(Duration::from_millis(ms)),
        }
    }

    #[test]
    fn the_rate_is_what_was_used_between_two_measurements() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        assert_eq!((meter.cpu(), meter.memory()), (None, None));
        meter.note(used(1_234), start);
        assert_eq!(meter.cpu(), Some(CpuUse { used_ms: 1_200, millicores: None }), "one is not enough");
        meter.note(used(6_234), start + Duration::from_secs(10));
        assert_eq!(meter.cpu(), Some(CpuUse { used_ms: 6_200, millicores: Some(500) }));
        assert_eq!(meter.memory(), Some(Memory { bytes: 3 << 20, files: 0 }));
        meter.note(used(26_234), start + Duration::from_secs(20));
        assert_eq!(meter.cpu().unwrap().millicores, Some(2_000), "two cores");
        meter.note(used(5), start + Duration::from_secs(30));
        assert_eq!(meter.cpu().unwrap().millicores, None, "counted anew");
        meter.note(Usage::default(), start + Duration::from_secs(40));
        assert_eq!((meter.cpu(), meter.memory()), (None, None), "not counted any more");
    }

    #[test]
    fn two_measurements_at_one_moment_tell_no_rate() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        meter.note(used(1), now);
        meter.note(used(2), now);
        assert_eq!(meter.cpu().unwrap().millicores, None);
    }
}
