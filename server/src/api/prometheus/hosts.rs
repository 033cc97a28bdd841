//! The series of hosts: whether each is heard of, and what its machine has in use.

use model::fleet::Fleet;
use model::host_use::{HostUse, Share};
use store::Host;

use super::thousandths;
use crate::api::host_use;
use crate::metrics::{Exposition, Kind};
use crate::reports::Reports;

/// Adds them. Who is not heard of has no other series than that it is not.
pub(super) fn write(text: &mut Exposition, hosts: &[Host], reports: &Reports, fleet: &Fleet) {
    let mut family = |name, help, value: &dyn Fn(&Host) -> Option<String>| {
        text.family(name, Kind::Gauge, help);
        for host in hosts {
            if let Some(value) = value(host) {
                text.sample(name, &[("host", &host.name), ("zone", &host.zone)], value);
            }
        }
    };
    let up = |host: &Host| Some(u8::from(host_use::heard(reports, fleet, host.id).is_some()).to_string());
    family("paas_host_up", "1 if the host is heard of, otherwise 0.", &up);
    let of = |host: &Host, pick: fn(HostUse) -> Option<Share>| pick(host_use::of(reports, fleet, host.id)?);
    let cpu = |host: &Host| of(host, |of| of.cpu_millicores);
    let memory = |host: &Host| of(host, |of| of.memory_bytes);
    family(
        "paas_host_cpu_cores_used",
        "Cores of the machine that worked, in the last ten seconds.",
        &|host| Some(thousandths(cpu(host)?.used)),
    );
    family("paas_host_cpu_cores", "Cores of the machine.", &|host| Some(thousandths(cpu(host)?.of)));
    family(
        "paas_host_memory_used_bytes",
        "Memory of the machine that could not be given to anybody else.",
        &|host| Some(memory(host)?.used.to_string()),
    );
    family("paas_host_memory_bytes", "Memory of the machine.", &|host| Some(memory(host)?.of.to_string()));
}
