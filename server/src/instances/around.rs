//! What is known of hosts and replicas, in the words of the fleet.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Surroundings;
use fleet::{Notice, Told};
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

/// When a host is to go for what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    Now,
    Perhaps,
    InTurn,
}

fn goes(told: &Told, now: Timestamp) -> Goes {
    let imminent = |at: Timestamp| at.duration_since(now) <= IMMINENT;
    match (told.notice, told.maintenance) {
        (Some(Notice { ends_at: Some(_) }), _) => Goes::Now,
        (_, Some(maintenance)) if maintenance.begins_at.is_some_and(imminent) => Goes::Now,
        (_, Some(_)) => Goes::InTurn,
        // A recommendation names no time.
        (_, None) => Goes::Perhaps,
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
    let going = |when: Goes| {
        let such = notices.iter().filter(move |(_, told)| goes(told, now) == when);
        such.map(|(host, _)| *host).collect::<BTreeSet<_>>()
    };
    let due = notices.iter().filter_map(|(host, told)| Some((*host, told.maintenance?.to_string())));
    Ok(Surroundings {
        hosts: hosts.iter().map(tenant).collect(),
        notices: going(Goes::Now),
        risks: going(Goes::Perhaps),
        maintenance: due.collect(),
        waiting: waiting(platform),
        visited: platform.facts.witness().map_or_else(|| Some(BTreeSet::new()), |witness| witness.visited()),
        cut_off: judged.doubt.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use fleet::Maintenance;

    use super::*;

    #[test]
    fn maintenance_waits_its_turn_until_it_is_close_and_what_is_taken_back_goes_at_once() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let after = |minutes| now + SignedDuration::from_mins(minutes);
        let notice = |ends_at| Told { notice: Some(Notice { ends_at }), maintenance: None };
        let planned = |begins_at| Told { notice: None, maintenance: Some(Maintenance { begins_at }) };
        let both = Told { maintenance: planned(None).maintenance, ..notice(Some(after(60))) };
        let cases = [
            (notice(Some(after(60))), Goes::Now),
            (notice(None), Goes::Perhaps),
            (planned(None), Goes::InTurn),
            (planned(Some(after(60 * 24 * 14))), Goes::InTurn),
            (planned(Some(after(16))), Goes::InTurn),
            (planned(Some(after(15))), Goes::Now),
            (planned(Some(after(-5))), Goes::Now),
            (both, Goes::Now),
            (Told { notice: notice(None).notice, ..planned(None) }, Goes::InTurn),
        ];
        for (told, when) in cases {
            assert_eq!(goes(&told, now), when, "{told:?}");
        }
    }
}
