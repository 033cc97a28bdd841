//! Random schedules of faults and changes: those that serve go on, and all comes to rest.

use proptest::prelude::*;

use jiff::SignedDuration;

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

/// How many schedules are tried; `CLOUD_SCHEDULES` says another number.
fn schedules() -> u32 {
    std::env::var("CLOUD_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(), ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_of_faults_takes_what_serves_and_all_comes_to_rest(
        changes in prop::collection::vec((change(), 1usize..40), 1..8),
        faults in prop::collection::vec(fault(), 0..300),
        lag in 0i64..3,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut world = World::new(2);
            world.settle().await;
            world.is_whole();
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
}
