//! What is known of hosts and replicas, in the words of the fleet.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Surroundings;
use fleet::Notice;
use jiff::{SignedDuration, Timestamp};
use model::id::HostId;
use model::instances::{Room, Sizes, Tenant};
use model::replica::Phase;
use store::{Host, HostState};

use super::waiting;
use crate::platform::Platform;
use crate::reconcile::host_view;

/// Offers of a host that sets no bounds.
const UNBOUNDED: u64 = 1 << 40;

/// A host whose maintenance is so close is emptied at once, however many others are.
const IMMINENT: SignedDuration = SignedDuration::from_mins(15);

/// When a host is to go, as it was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Now,
    Perhaps,
    Later,
}

impl Told {
    fn of(notice: &Notice, now: Timestamp) -> Self {
        match (notice.maintenance, notice.ends_at) {
            (true, Some(at)) if at.duration_since(now) <= IMMINENT => Self::Now,
            (true, _) => Self::Later,
            (false, Some(_)) => Self::Now,
            // A recommendation names no time.
            (false, None) => Self::Perhaps,
        }
    }
}

/// Looks at hosts as the reconcile loop last judged them, and at what is on each. What waits is read last: it loses a replica
/// before the replica gets its place.
pub(super) async fn around(platform: &Platform, now: Timestamp) -> store::Result<Surroundings> {
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
    let told = |part: Told| {
        let such = notices.iter().filter(move |(_, notice)| Told::of(notice, now) == part);
        such.map(|(host, notice)| (*host, notice.to_string()))
    };
    Ok(Surroundings {
        hosts: hosts.iter().map(tenant).collect(),
        notices: told(Told::Now).map(|(host, _)| host).collect(),
        risks: told(Told::Perhaps).map(|(host, _)| host).collect(),
        maintenance: told(Told::Later).collect(),
        waiting: waiting(platform),
        visited: platform.facts.witness().map_or_else(|| Some(BTreeSet::new()), |witness| witness.visited()),
        cut_off: judged.doubt.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance_waits_its_turn_until_it_is_close_and_what_is_taken_back_goes_at_once() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut cases = vec![
            (Notice::interruption(now + SignedDuration::from_hours(1)), Told::Now),
            (Notice::recommendation(), Told::Perhaps),
            (Notice::maintenance(None), Told::Later),
        ];
        let planned = |minutes| Notice::maintenance(Some(now + SignedDuration::from_mins(minutes)));
        cases.extend(
            [(60 * 24 * 14, Told::Later), (16, Told::Later), (15, Told::Now), (-5, Told::Now)]
                .map(|(minutes, told)| (planned(minutes), told)),
        );
        for (notice, told) in cases {
            assert!(Told::of(&notice, now) == told, "{notice:?}");
        }
    }
}
