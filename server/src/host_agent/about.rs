//! What this machine says of itself.

use fleet::About;

use super::options::Options;

/// What the system keeps of the memory, in tenths.
const SYSTEMS_TENTH: u64 = 1;

pub(super) fn about(options: &Options, entry_port: u16) -> About {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    About {
        address: options.address,
        entry_port: Some(entry_port),
        memory_bytes: memory().map(|bytes| bytes / 10 * (10 - SYSTEMS_TENTH)),
        cpu_millicores: Some(cores * 1_000),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        engine: Some("sandbox".to_owned()),
    }
}

/// Returns the machine's memory in bytes, from proc(5).
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1_024)
}
