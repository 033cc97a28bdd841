//! Random schedules of faults and wishes: caps hold in every turn, and all comes to rest.

use proptest::prelude::*;

use crate::made_up::Fault;
use crate::world::World;

const MAX: u32 = 3;

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        2 => Just(Fault::Throttled),
        3 => Just(Fault::Unheard),
        2 => Just(Fault::NoCapacity),
        1 => Just(Fault::Empty),
        1 => Just(Fault::DiesBefore),
        1 => Just(Fault::DiesAfter),
    ]
}

/// How many schedules are tried; `CLOUD_SCHEDULES` says another number.
fn schedules() -> u32 {
    std::env::var("CLOUD_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(), ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_of_faults_makes_too_many_or_leaves_too_few(
        wants in prop::collection::vec((0usize..60, 1usize..40), 1..6),
        faults in prop::collection::vec(fault(), 0..300),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut world = World::new(MAX).await;
            world.sky.sky.lock().unwrap().faults = faults.into();
            for (count, turns) in wants {
                world.want(count);
                for _ in 0..turns {
                    world.turn().await;
                    prop_assert!(world.alive().values().all(|count| *count <= MAX as usize), "{:?}", world.alive());
                }
            }
            world.sky.sky.lock().unwrap().faults.clear();
            world.settle().await;
            world.is_whole().await;
            Ok(())
        })?;
    }
}
