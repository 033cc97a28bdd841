//! What the machines of hosts have in use, as far as that is known now: who is not heard of may use anything.

use model::fleet::{Fleet, SILENCE};
use model::host_use::{HostUse, Share};
use model::id::HostId;
use serde_json::{Value, json};

use crate::reports::{Heard, Reports};

/// Returns what a host says, if it is heard of.
pub(super) fn heard<'a>(reports: &'a Reports, fleet: &Fleet, host: HostId) -> Option<&'a Heard> {
    let is_heard = |heard: &&Heard| heard.at.elapsed() < SILENCE && !fleet.silent.contains(&host);
    reports.of(host).filter(is_heard)
}

/// Returns what the machine of a host has in use, if that is known.
pub(super) fn of(reports: &Reports, fleet: &Fleet, host: HostId) -> Option<HostUse> {
    heard(reports, fleet, host)?.report.in_use
}

/// Returns the fields that say it: cores and bytes.
pub(super) fn fields(in_use: Option<HostUse>) -> Value {
    let HostUse { cpu_millicores, memory_bytes } = in_use.unwrap_or_default();
    let cores = |pick: fn(Share) -> u64| cpu_millicores.map(|cpu| pick(cpu) as f64 / 1_000.0);
    json!({
        "cpu_used": cores(|cpu| cpu.used),
        "cpu_total": cores(|cpu| cpu.of),
        "memory_used_bytes": memory_bytes.map(|memory| memory.used),
        "memory_total_bytes": memory_bytes.map(|memory| memory.of),
    })
}
