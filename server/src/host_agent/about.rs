//! What this machine says of itself.

use fleet::About;

use super::options::Options;
use crate::engine::Chosen;
use crate::offer::memory_bytes;

/// What the system keeps of the memory, in tenths.
const SYSTEMS_TENTHS: u64 = 1;

pub(super) fn about(options: &Options, entry_port: u16, engine: &Chosen) -> About {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    About {
        address: options.address,
        entry_port: Some(entry_port),
        memory_bytes: options
            .host_mb
            .map(|mb| mb << 20)
            .or_else(|| Some(memory_bytes()? / 10 * (10 - SYSTEMS_TENTHS))),
        cpu_millicores: Some(options.host_cores.unwrap_or(cores) * 1_000),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        engine: Some(engine.to_string()),
    }
}
