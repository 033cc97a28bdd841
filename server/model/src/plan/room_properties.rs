//! What holds wherever replicas are placed: nothing is given twice, types are spread, who waits has a reason, and nothing
//! moves without need.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::toy::{starting, target};
use super::*;
use crate::formation::Scale;
use crate::replica::Phase;

fn sizes() -> impl Strategy<Value = Size> {
    prop::sample::select(&Size::ALL[..])
}

fn hosts() -> impl Strategy<Value = Vec<HostView>> {
    let standing =
        prop_oneof![8 => Just(Standing::Ready), 1 => Just(Standing::Silent), 1 => Just(Standing::Draining)];
    let offers = (prop::option::of(0u64..20_000), prop::option::of(0u64..4_000));
    let host = (0u8..4, standing, offers);
    prop::collection::vec(host, 0..9).prop_map(|hosts| {
        let host = |(n, (zone, standing, (memory_mb, cpu_millicores)))| HostView {
            id: HostId(Uuid::from_u128(n)),
            zone: format!("zone-{zone}"),
            standing,
            memory_mb,
            cpu_millicores,
        };
        (1u128..).zip(hosts).map(host).collect()
    })
}

fn apps() -> impl Strategy<Value = Vec<AppView>> {
    let types = prop::collection::vec((0u32..12, sizes()), 1..3);
    prop::collection::vec(types, 1..4).prop_map(|apps| {
        let app = |(n, types): (u128, Vec<(u32, Size)>)| {
            let names: Vec<String> = (0..types.len()).map(|n| format!("type{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let scales = types.into_iter().map(|(quantity, size)| Scale { quantity, size });
            AppView {
                id: AppId(Uuid::from_u128(n)),
                deleted: false,
                serving: Some(target(1, 1, &names)),
                rollout: None,
                watch: None,
                alone: BTreeSet::new(),
                formation: names.iter().map(|name| name.parse().unwrap()).zip(scales).collect(),
                replicas: Vec::new(),
            }
        };
        (1u128..).zip(apps).map(app).collect()
    })
}

/// Carries out what a plan creates; all of it is up at once.
fn settle(world: &mut World, plan: &Plan) {
    for (n, action) in (1u128..).zip(&plan.actions) {
        let Action::Create(new) = action else { continue };
        let app = world.apps.iter_mut().find(|app| app.id == new.app).unwrap();
        let size = app.size_of(&new.process);
        app.replicas.push(ReplicaView {
            id: ReplicaId(Uuid::from_u128(n)),
            process: new.process.clone(),
            number: new.number,
            version: new.version,
            generation: new.generation,
            host: new.host,
            size,
            wish: ReplicaWish::Run,
            replace: false,
            created_at: Timestamp::UNIX_EPOCH,
            seen: Observation::Seen(Observed { phase: Phase::Healthy, entrance: true, ..starting() }),
        });
    }
}

/// Tells whether a host takes one more of this size.
fn has_room(world: &World, host: &HostView, size: Size) -> bool {
    let there = || world.apps.iter().flat_map(|app| &app.replicas).filter(|replica| replica.host == host.id);
    let memory: u64 = there().map(|replica| replica.size.memory_mb()).sum();
    let cpu: u64 = there().map(|replica| replica.size.cpu_millicores()).sum();
    host.standing == Standing::Ready
        && host.memory_mb.is_none_or(|offered| memory + size.memory_mb() <= offered)
        && host.cpu_millicores.is_none_or(|offered| cpu + size.cpu_millicores() <= offered)
}

/// Checks that of any two places the fuller has at most one more, or the emptier has no room.
fn is_spread<K: Ord>(counts: &BTreeMap<K, (usize, bool)>) -> Result<(), TestCaseError> {
    let most = counts.values().map(|(count, _)| *count).max().unwrap_or_default();
    let emptiest = counts.values().filter(|(_, room)| *room).map(|(count, _)| *count).min();
    prop_assert!(emptiest.is_none_or(|count| most <= count + 1), "not spread: {:?}", counts.values());
    Ok(())
}

fn types_are_spread(world: &World) -> Result<(), TestCaseError> {
    for app in &world.apps {
        for (process, scale) in &app.formation {
            let mut zones: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
            let mut hosts: BTreeMap<&str, BTreeMap<HostId, (usize, bool)>> = BTreeMap::new();
            for host in &world.hosts {
                let on = |r: &&ReplicaView| r.host == host.id && r.process == *process;
                let count = app.replicas.iter().filter(on).count();
                let room = has_room(world, host, scale.size);
                let zone = zones.entry(&host.zone).or_default();
                *zone = (zone.0 + count, zone.1 || room);
                hosts.entry(&host.zone).or_default().insert(host.id, (count, room));
            }
            is_spread(&zones)?;
            for hosts in hosts.values() {
                is_spread(hosts)?;
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_is_spread_within_what_the_hosts_offer_and_who_waits_has_a_reason(hosts in hosts(), apps in apps()) {
        let mut world = World { apps, hosts };
        let first = plan(&world, Timestamp::UNIX_EPOCH);
        prop_assert_eq!(&first, &plan(&world, Timestamp::UNIX_EPOCH), "equal input gives an equal plan");
        settle(&mut world, &first);
        for host in &world.hosts {
            let there = || world.apps.iter().flat_map(|app| &app.replicas).filter(|r| r.host == host.id);
            let memory: u64 = there().map(|r| r.size.memory_mb()).sum();
            let cpu: u64 = there().map(|r| r.size.cpu_millicores()).sum();
            prop_assert!(host.memory_mb.is_none_or(|offered| memory <= offered));
            prop_assert!(host.cpu_millicores.is_none_or(|offered| cpu <= offered));
            prop_assert!(host.standing == Standing::Ready || there().count() == 0);
        }
        types_are_spread(&world)?;
        let wanted: u32 = world.apps.iter().flat_map(|app| app.formation.values()).map(|scale| scale.quantity).sum();
        prop_assert_eq!(first.actions.len() + first.waiting.len(), wanted as usize);
        for waiting in &first.waiting {
            let room = world.hosts.iter().any(|host| has_room(&world, host, waiting.size));
            prop_assert!(!room, "{} {} waits beside room", waiting.process, waiting.number);
            prop_assert!(waiting.reason.starts_with("no host "), "{}", waiting.reason);
        }
        // What has its place keeps it, whatever room there is elsewhere and who is not heard of.
        let second = plan(&world, Timestamp::UNIX_EPOCH);
        prop_assert_eq!(&second.actions, &[]);
        prop_assert_eq!(second.waiting.len(), first.waiting.len());
        for host in &mut world.hosts {
            host.standing = Standing::Silent;
        }
        prop_assert_eq!(plan(&world, Timestamp::UNIX_EPOCH).actions, []);
    }

    #[test]
    fn what_was_lost_with_a_host_is_spread_again(quantity in 1u32..20, per_zone in 1u128..4) {
        let mut world = World { apps: Vec::new(), hosts: Vec::new() };
        for n in 0..3 * per_zone {
            let zone = format!("zone-{}", n % 3);
            world.hosts.push(HostView { zone, ..super::toy::host(n + 1) });
        }
        let scale = Scale { quantity, size: Size::Standard1X };
        world.apps.push(AppView {
            id: AppId(Uuid::from_u128(1)),
            deleted: false,
            serving: Some(target(1, 1, &["clock"])),
            rollout: None,
            watch: None,
            alone: BTreeSet::new(),
            formation: [("clock".parse().unwrap(), scale)].into(),
            replicas: Vec::new(),
        });
        let first = plan(&world, Timestamp::UNIX_EPOCH);
        settle(&mut world, &first);
        let lost = world.hosts.remove(0).id;
        world.apps[0].replicas.retain(|replica| replica.host != lost);
        let again = plan(&world, Timestamp::UNIX_EPOCH);
        settle(&mut world, &again);
        prop_assert_eq!(world.apps[0].replicas.len(), quantity as usize);
        let zones: BTreeSet<&str> = world.hosts.iter().map(|host| host.zone.as_str()).collect();
        let used: BTreeSet<&str> = world.hosts.iter()
            .filter(|host| world.apps[0].replicas.iter().any(|replica| replica.host == host.id))
            .map(|host| host.zone.as_str())
            .collect();
        prop_assert_eq!(used.len(), zones.len().min(quantity as usize));
        types_are_spread(&world)?;
    }
}
