//! What this machine offers to replicas when the server runs some itself. Sizes are limits and not what is used, and a
//! machine that is alone has nowhere else to put a replica: so it offers more than it has. Hosts that join offer what they have.

use store::HostFacts;

use crate::fleet_source::FleetSource;
use crate::options::Options;

/// How many times over this machine is offered.
const TIMES: u64 = 4;

/// Returns what this machine says of itself.
#[must_use]
pub fn of_this_machine(options: &Options) -> HostFacts {
    // Where instances can be had, replicas are kept off the machine of the server.
    let times = if options.fleet == FleetSource::None { TIMES } else { 0 };
    let cores = || std::thread::available_parallelism().ok().map(|n| n.get() as u64 * times);
    HostFacts {
        memory_bytes: options
            .host_mb
            .map(|mb| mb << 20)
            .or_else(|| memory_bytes().map(|bytes| bytes * times)),
        cpu_millicores: options.host_cores.or_else(cores).map(|cores| cores * 1_000),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        engine: Some("sandbox".to_owned()),
        ..HostFacts::default()
    }
}

/// Returns how much memory this machine has.
pub(crate) fn memory_bytes() -> Option<u64> {
    total_bytes(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// Returns the memory that `/proc/meminfo` tells of, see `proc_meminfo(5)`.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_machine_is_read() {
        let text = "MemTotal:        2014596 kB\nMemFree:          126164 kB\n";
        assert_eq!(total_bytes(text), Some(2_014_596 << 10));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
        assert!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
