//! What is known of hosts and replicas, in the words of the fleet.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Surroundings;
use model::id::HostId;
use model::instances::{Room, Sizes, Tenant};
use model::replica::Phase;
use store::{Host, HostState};

use super::waiting;
use crate::platform::Platform;
use crate::reconcile::host_view;

/// Offers of a host that sets no bounds.
const UNBOUNDED: u64 = 1 << 40;

/// Looks at hosts as the reconcile loop last judged them, and at what is on each. What waits is read last: it loses a replica
/// before the replica gets its place.
pub(super) async fn around(platform: &Platform) -> store::Result<Surroundings> {
    let mut db = platform.store.read().await?;
    let hosts = store::list_hosts(&mut db).await?;
    let replicas = store::list_all_replicas(&mut db).await?;
    drop(db);
    let (reports, judged) = (platform.facts.reports(), platform.outlook.fleet());
    let mut holds: BTreeMap<HostId, Sizes> = BTreeMap::new();
    for replica in &replicas {
        let status = reports.status(replica.host_id, replica.id);
        if status.is_none_or(|status| status.phase != Phase::Ended) {
            holds.entry(replica.host_id).or_default().add(replica.size);
        }
    }
    let tenant = |host: &Host| {
        let unheard = reports.of(host.id).is_none() || judged.silent.contains(&host.id);
        let tenant = Tenant {
            standing: host_view(host, unheard).standing,
            lost_since: (host.state == HostState::Lost).then_some(host.state_since),
            offers: Room {
                memory_mb: host.facts.memory_bytes.map_or(UNBOUNDED, |bytes| bytes >> 20),
                cpu_millicores: host.facts.cpu_millicores.unwrap_or(UNBOUNDED),
            },
            holds: holds.get(&host.id).cloned().unwrap_or_default(),
        };
        (host.id, tenant)
    };
    let notices = platform.facts.notices.all();
    // A recommendation names no time.
    let told = |surely: bool| {
        let such = notices.iter().filter(|(_, notice)| notice.ends_at.is_some() == surely);
        such.map(|(host, _)| *host).collect::<BTreeSet<_>>()
    };
    Ok(Surroundings {
        hosts: hosts.iter().map(tenant).collect(),
        notices: told(true),
        risks: told(false),
        waiting: waiting(platform),
        visited: platform.facts.witness().map_or_else(|| Some(BTreeSet::new()), |witness| witness.visited()),
        cut_off: judged.doubt.is_some(),
    })
}
