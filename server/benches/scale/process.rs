//! What the kernel counts of a process.

use std::fs;
use std::time::{Duration, Instant};

/// Ticks of the clock by which the kernel counts a process's time, per second.
const TICKS: f64 = 100.0;

/// Returns the resident memory of a process in megabytes.
pub(crate) fn memory(pid: u32) -> f64 {
    megabytes(pid, "VmRSS:")
}

/// Returns the most that its resident memory was since [`forget_peak`], in megabytes.
#[allow(dead_code, reason = "not every benchmark asks for it")]
pub(crate) fn peak(pid: u32) -> f64 {
    megabytes(pid, "VmHWM:")
}

/// Counts the most resident memory from now on (proc(5): `clear_refs`).
#[allow(dead_code, reason = "not every benchmark asks for it")]
pub(crate) fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

fn megabytes(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024.0 / 1e6
}

/// Returns the seconds of processor time that a process has used (proc(5): `utime` and `stime` of `stat`).
pub(crate) fn processor(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// Counts time and processor time of a process from a moment on.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch {
    pid: u32,
    began: Instant,
    used: f64,
}

impl Stopwatch {
    pub(crate) fn start(pid: u32) -> Self {
        Self { pid, began: Instant::now(), used: processor(pid) }
    }

    #[allow(dead_code, reason = "not every benchmark asks for it")]
    pub(crate) fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the seconds of processor time used since.
    #[allow(dead_code, reason = "not every benchmark asks for it")]
    pub(crate) fn used(self) -> f64 {
        processor(self.pid) - self.used
    }

    /// Returns the share of one core used since, in percent.
    pub(crate) fn share(self) -> f64 {
        (processor(self.pid) - self.used) / self.began.elapsed().as_secs_f64() * 100.0
    }
}
