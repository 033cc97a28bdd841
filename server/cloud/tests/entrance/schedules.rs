//! Random schedules of faults and changes: those that serve go on, and all comes to rest.

use proptest::prelude::*;

use jiff::SignedDuration;
use model::entrance::TargetHealth;

use crate::made_up::Fault;
use crate::world::World;

#[derive(Clone, Debug)]
enum Change {
    Deploy(usize),
    Scale(usize, u32),
    Replace(usize),
    Restart,
    Name(usize, u8),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        2 => Just(Fault::Throttled),
        3 => Just(Fault::Unheard),
        1 => Just(Fault::Empty),
        1 => Just(Fault::DiesBefore),
        1 => Just(Fault::DiesAfter),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0usize..2).prop_map(Change::Deploy),
        2 => (0usize..2, 1u32..5).prop_map(|(at, quantity)| Change::Scale(at, quantity)),
        1 => (0usize..8).prop_map(Change::Replace),
        1 => Just(Change::Restart),
        1 => (0usize..2, 0u8..4).prop_map(|(at, n)| Change::Name(at, n)),
    ]
}

/// What is missed of what is done, or not told of it.
fn refusal() -> impl Strategy<Value = Fault> {
    prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::Throttled), 1 => Just(Fault::Unheard)]
}

/// Somebody changes how the first group is checked, so that its targets fail, and takes one of them away and another group's rule;
/// one that goes may finish with its visitors before.
fn disturb(world: &World, finishes: bool) {
    let mut sky = world.sky.sky();
    let now = sky.now;
    let made = sky.groups.values_mut().next().unwrap();
    made.group.check.path = "/wrong".to_owned();
    let (target, _) = made.targets.pop_first().unwrap();
    if finishes {
        made.targets.insert(target, (TargetHealth::Draining, now));
    }
    let sick = made.targets.keys().map(|target| target.port).collect();
    sky.sick = sick;
    sky.rules.values_mut().for_each(|rules| drop(rules.pop()));
}

/// How many schedules are tried; `CLOUD_SCHEDULES` says another number.
fn schedules() -> u32 {
    std::env::var("CLOUD_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(), ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_of_faults_takes_what_serves_and_all_comes_to_rest(
        changes in prop::collection::vec((change(), 1usize..40), 1..8),
        faults in prop_oneof![prop::collection::vec(fault(), 0..300), prop::collection::vec(refusal(), 0..300)],
        lag in 0i64..3,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut world = World::new(2);
            world.settle().await;
            world.is_whole();
            // What somebody removed by hand looks no different.
            let lists_lie = faults.contains(&Fault::Empty);
            world.sky.sky().faults = faults.into();
            world.sky.sky().lag = SignedDuration::from_secs(lag);
            let mut floor = [2, 2];
            for (change, turns) in changes {
                match change {
                    Change::Deploy(at) => world.deploy(at),
                    Change::Scale(at, quantity) => {
                        world.scale(at, quantity);
                        floor[at] = floor[at].min(quantity as usize);
                    }
                    Change::Replace(at) => {
                        let count = world.plans.apps[0].replicas.len();
                        world.plans.apps[0].replicas[at % count].replace = true;
                    }
                    Change::Restart => world.restart(),
                    Change::Name(at, n) => {
                        let app = world.plans.apps[at].id;
                        // A name is one app's.
                        let name = format!("n{n}.a{at}.example.org").parse().unwrap();
                        world.names.get_mut(&app).unwrap().insert(name);
                    }
                }
                for _ in 0..turns {
                    world.turn().await;
                    let by_hand = world.outcome.events.iter().find(|notice| notice.says.contains("by hand"));
                    prop_assert!(by_hand.is_none() || lists_lie, "it was nobody's: {:?}", by_hand);
                    for (at, floor) in floor.iter().enumerate() {
                        let answering = world.answering(&format!("a{}.example.com", at + 1));
                        prop_assert!(answering >= *floor, "{} of {}", answering, floor);
                    }
                }
            }
            world.sky.sky().faults.clear();
            world.settle().await;
            world.is_whole();
            Ok(())
        })?;
    }

    #[test]
    fn what_is_changed_by_hand_is_told_once_whatever_else_goes_wrong(
        pause in 0usize..70,
        unheard in prop_oneof![Just(0usize), 0usize..70],
        finishes in any::<bool>(),
        faults in prop::collection::vec(refusal(), 0..100),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut world = World::new(2);
            world.settle().await;
            for _ in 0..pause {
                world.turn().await;
            }
            disturb(&world, finishes);
            world.unheard = true;
            world.sky.sky().faults = faults.into();
            let mut told = Vec::new();
            for turn in 0..400 {
                world.unheard &= turn < unheard;
                world.turn().await;
                if turn == 200 {
                    world.sky.sky().faults.clear();
                }
                told.extend(world.outcome.events.iter().map(|notice| notice.says.clone()));
                let mut sky = world.sky.sky();
                if sky.groups.values().all(|made| made.group.check.path != "/wrong") {
                    sky.sick.clear();
                }
            }
            world.is_whole();
            told.sort();
            let each = ["its health check was", "its rules were", "its targets were"];
            assert!(told.len() == 3 && each.iter().zip(&told).all(|(start, says)| says.starts_with(start)), "{told:?}");
        });
    }
}
