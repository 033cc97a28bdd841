//! What holds in any history of the fleet, whatever fails, is lost or lies.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::toy::{HOUR, List, Toy, settings};
use super::*;
use crate::plan::Standing;
use crate::size::Size;

/// What happens before a turn.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Nothing,
    Want(usize, Size),
    Power(usize),
    Notice(usize),
    /// The cloud recommends to replace one.
    Risk(usize),
    EndByHand(usize),
    StopByHand(usize),
    /// A person removes a host.
    Remove(usize),
    Stillborn(bool),
    Full(u8),
    Deaf(bool),
    Duds(u32),
    /// The list lies, for so many turns.
    Lie(List, usize),
    Cut(Option<usize>),
    Stale,
    /// Maintenance of the machine of one is planned.
    Due(usize),
    Quiet(usize),
}

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    // As many as fit into all zones, whatever is there besides.
    let sizes = prop::sample::select(vec![
        (30usize, Size::Standard1X),
        (20usize, Size::Standard2X),
        (8usize, Size::PerformanceM),
    ]);
    let want = sizes.prop_flat_map(|(most, size)| (0..=most, Just(size)));
    let list = prop::sample::select(vec![List::Failed, List::Empty, List::Half]);
    let one = prop_oneof![
        4 => Just(Happening::Nothing),
        4 => want.prop_map(|(count, size)| Happening::Want(count, size)),
        2 => (0usize..20).prop_map(Happening::Power),
        2 => (0usize..20).prop_map(Happening::Notice),
        2 => (0usize..20).prop_map(Happening::Risk),
        1 => (0usize..20).prop_map(Happening::EndByHand),
        1 => (0usize..20).prop_map(Happening::StopByHand),
        1 => (0usize..20).prop_map(Happening::Remove),
        1 => any::<bool>().prop_map(Happening::Stillborn),
        2 => any::<u8>().prop_map(Happening::Full),
        2 => any::<bool>().prop_map(Happening::Deaf),
        1 => (0u32..4).prop_map(Happening::Duds),
        3 => (list, 1usize..12).prop_map(|(list, turns)| Happening::Lie(list, turns)),
        1 => prop::option::of(0usize..3).prop_map(Happening::Cut),
        1 => Just(Happening::Stale),
        2 => (0usize..20).prop_map(Happening::Due),
        6 => (1usize..80).prop_map(Happening::Quiet),
    ];
    prop::collection::vec(one, 1..30)
}

const ZONES: [&str; 3] = ["a", "b", "c"];

/// Lets it happen; returns for how many turns nothing else does.
pub(super) fn happen(toy: &mut Toy, happening: &Happening) -> usize {
    let alive: Vec<InstanceId> =
        toy.real.iter().filter(|(_, real)| !real.ended).map(|(id, _)| id.clone()).collect();
    let now = toy.now;
    let mut some = |at: usize, change: fn(&mut super::toy::Real, jiff::Timestamp)| {
        if let Some(id) = alive.get(at % alive.len().max(1)) {
            change(toy.real.get_mut(id).unwrap(), now);
        }
    };
    match *happening {
        Happening::Nothing => {}
        Happening::Want(count, size) => toy.want(count, size),
        Happening::Power(at) => some(at, |real, now| real.dead_since = real.dead_since.or(Some(now))),
        Happening::Notice(at) => some(at, |real, now| real.noticed = real.noticed.or(Some(now))),
        Happening::Risk(at) => some(at, |real, _| real.risky = true),
        Happening::EndByHand(at) => some(at, |real, _| real.ended = true),
        Happening::StopByHand(at) => some(at, |real, _| real.stopped = true),
        Happening::Remove(at) => toy.remove(at),
        Happening::Stillborn(stillborn) => toy.stillborn = stillborn,
        Happening::Full(bits) => {
            let pools = ZONES.iter().flat_map(|zone| toy.settings.pools(zone).map(|(pool, _)| pool));
            let bit = |at: usize| bits & (1 << (at % 8)) != 0;
            toy.full = pools.enumerate().filter(|(at, _)| bit(*at)).map(|(_, pool)| pool).collect();
        }
        Happening::Deaf(deaf) => toy.deaf = deaf,
        Happening::Duds(duds) => toy.duds = duds,
        Happening::Lie(list, turns) => {
            toy.list = list;
            return turns;
        }
        Happening::Cut(zone) => toy.dark = zone.map(|at| ZONES[at].to_owned()).into_iter().collect(),
        Happening::Stale => {
            toy.rows
                .iter_mut()
                .for_each(|row| row.instance.stale = Some("its image is an older one".to_owned()));
        }
        Happening::Due(at) => {
            let rows = toy.rows.len().max(1);
            if let Some(row) = toy.rows.get_mut(at % rows) {
                row.instance.stale = Some("its machine has a date".to_owned());
                row.instance.due = true;
            }
        }
        Happening::Quiet(turns) => return turns,
    }
    1
}

/// Takes one turn and checks all that must hold in every one.
fn turn(toy: &mut Toy) -> Result<(), TestCaseError> {
    toy.pass();
    let view = toy.view();
    let decision = decide(&view);
    prop_assert_eq!(&decision, &decide(&view), "equal input gives an equal decision");
    distrust(toy, &view, &decision)?;
    for action in &decision.actions {
        harmless(toy, &view, action)?;
    }
    toy.act(&decision);
    bounds(toy)?;
    let again = decide(&View { waiting: view.waiting.clone(), ..toy.view() });
    let repeats = |action: &&Action| {
        matches!(action, Action::Launch { .. } | Action::Drain { .. } | Action::Resume { .. })
    };
    // What the cloud refused just now is ordered elsewhere, and what is forgotten leaves room for another.
    let has_row = |instance: &Instance| toy.rows.iter().any(|row| row.instance.launch == instance.launch);
    let fewer = !view.instances.iter().all(has_row);
    let repeated: Vec<_> = again.actions.iter().filter(repeats).collect();
    prop_assert!(repeated.is_empty() || fewer, "decided twice: {:?} after {:?}", repeated, decision.actions);
    Ok(())
}

/// While the list lacks more than can fail, nothing is begun.
fn distrust(toy: &Toy, view: &View, decision: &Decision) -> Result<(), TestCaseError> {
    let known = || view.instances.iter().filter(|instance| instance.seen != Sight::Unseen);
    let missing = known().filter(|instance| matches!(instance.seen, Sight::Missing { .. })).count();
    let lies = matches!(toy.list, List::Empty | List::Half);
    if lies && missing > 0 && (missing == known().count() || missing > (known().count() / 3).max(1)) {
        let certain =
            |action: &Action| matches!(action, Action::Adopt(..) | Action::Avoid(..) | Action::Forget { .. });
        prop_assert!(decision.actions.iter().all(certain), "{:?}", decision.actions);
    }
    Ok(())
}

/// Nothing that serves is taken away.
fn harmless(toy: &Toy, view: &View, action: &Action) -> Result<(), TestCaseError> {
    match action {
        Action::Terminate { id, .. } => {
            let row = view.instances.iter().find(|instance| instance.name() == id.as_str());
            let host = row.and_then(|row| row.host.as_ref());
            let lost = host.is_some_and(|host| host.standing == Standing::Lost);
            let dead = toy.real[id].dead_since.is_some() || toy.real[id].ended;
            let used = toy.replicas.iter().any(|(_, place)| place.as_ref() == Some(id));
            let off = toy.real[id].stopped;
            prop_assert!(!used || off || (lost && dead), "{id} is terminated and holds replicas");
        }
        Action::Drain { launch, cause: Cause::Surplus | Cause::Stale, .. } => {
            let memory = |room: Option<Room>| room.map_or(0, |room| room.memory_mb);
            let others = view.instances.iter().filter(|instance| instance.launch != *launch);
            let free: u64 = others.map(|instance| memory(instance.free())).sum();
            let drained = view.instances.iter().find(|instance| instance.launch == *launch).unwrap();
            let host = drained.host.as_ref().unwrap();
            let holds = host.offers.memory_mb - host.offers.beside(&host.holds).memory_mb;
            prop_assert!(free >= holds, "{} MB free, {} MB to move", free, holds);
        }
        _ => {}
    }
    Ok(())
}

fn bounds(toy: &Toy) -> Result<(), TestCaseError> {
    let alive = toy.real.values().filter(|real| !real.ended);
    let launches: Vec<_> = alive.map(|real| real.launch).collect();
    prop_assert_eq!(launches.iter().collect::<BTreeSet<_>>().len(), launches.len());
    for (zone, count) in toy.settings.zones.iter().zip(toy.spread()) {
        prop_assert!(count <= zone.1.max as usize, "{} in {}", count, zone.0);
    }
    let rows = || toy.rows.iter().map(|row| &row.instance);
    let stale = rows().filter(|row| row.wish.cause() == Some(Cause::Stale));
    let zones: BTreeSet<_> = stale.map(|row| &row.pool.zone).collect();
    prop_assert!(zones.len() <= 1, "those out of date leave several zones at once: {:?}", zones);
    let replaced = || rows().filter(|row| row.wish.cause().is_some_and(Cause::is_replacement));
    let past =
        toy.past.iter().filter(|past| past.cause.is_replacement() && toy.now.duration_since(past.at) < HOUR);
    prop_assert!(
        past.count() + replaced().count() + toy.dismissed().len() <= toy.settings.replaced_per_hour as usize
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn in_any_history_caps_hold_nothing_serving_is_ended_and_the_fleet_comes_to_rest(
        all in happenings(), min in 0u32..2, max in 4u32..6,
    ) {
        let mut toy = Toy::new(settings(&ZONES, min, max));
        for happening in &all {
            for _ in 0..happen(&mut toy, happening) {
                turn(&mut toy)?;
            }
            toy.list = List::True;
        }
        // All is well again.
        toy.full.clear();
        toy.dark.clear();
        (toy.deaf, toy.duds, toy.stillborn) = (false, 0, false);
        toy.real.values_mut().filter(|real| !real.ended).for_each(|real| (real.dead_since, real.dud) = (None, false));
        for _ in 0..360 {
            turn(&mut toy)?;
        }
        let spread = toy.settle();
        prop_assert_eq!(toy.placed(), toy.replicas.len(), "alarms: {:?}", toy.alarms);
        prop_assert!(spread.iter().all(|count| (min as usize..=max as usize).contains(count)), "{:?}", spread);
        prop_assert_eq!(spread.iter().sum::<usize>(), toy.rows.len(), "no instance without a launch");
    }

    #[test]
    fn without_failures_zones_differ_by_one_at_most(
        counts in prop::collection::vec(0usize..80, 1..5), min in 0u32..3,
    ) {
        let mut toy = Toy::new(settings(&ZONES, min, 6));
        for count in counts {
            toy.want(count, Size::Standard1X);
            let spread = toy.settle();
            prop_assert!(spread.iter().max().unwrap() - spread.iter().min().unwrap() <= 1, "{:?}", spread);
            prop_assert_eq!(toy.placed(), count);
        }
    }

    #[test]
    fn of_those_that_serve_at_most_a_third_is_replaced_at_once(all in happenings()) {
        let mut toy = Toy::new(settings(&ZONES, 2, 6));
        toy.settings.replaced_per_hour = 1_000;
        for happening in &all {
            for _ in 0..happen(&mut toy, happening) {
                toy.pass();
                let view = toy.view();
                let decision = decide(&view);
                let there = || view.instances.iter().filter(|instance| instance.may_exist());
                let joined = there().filter(|instance| instance.host.is_some()).count();
                let leaving = there().filter(|one| one.wish.cause().is_some_and(Cause::is_replacement)).count();
                // One that is drained already and now ends was counted when that began, and an empty one ends at once.
                let was_leaving = |launch: &LaunchId| {
                    let known = view.instances.iter().find(|instance| instance.launch == *launch);
                    known.is_some_and(|instance| instance.wish.cause().is_some_and(Cause::is_replacement))
                };
                let begun: BTreeSet<LaunchId> = decision.actions.iter().filter_map(|action| match action {
                    Action::Drain { launch, cause, .. } | Action::End { launch, cause, .. } => {
                        (cause.is_replacement() && !was_leaving(launch)).then_some(*launch)
                    }
                    _ => None,
                }).collect();
                let begun = begun.len();
                prop_assert!(begun == 0 || leaving + begun <= (joined / 3).max(1) , "{leaving} + {begun} of {joined}");
                toy.act(&decision);
            }
            toy.list = List::True;
        }
    }
}
