//! Whoever decides dies at each call of a history of rollouts, and what it asked for is lost, one call after the other.

use crate::made_up::Fault;
use crate::world::World;

/// Two apps come, one of them is rolled out, scaled and renamed, and the other one is destroyed.
async fn history(world: &mut World) {
    let floor = |world: &World| assert!(world.answering("a1.example.com") >= 2, "visitors have no answer");
    let turns = async |world: &mut World, count: usize, serves: bool| {
        for _ in 0..count {
            world.turn().await;
            if serves {
                floor(world);
            }
        }
    };
    turns(world, 40, false).await;
    world.deploy(0);
    turns(world, 30, true).await;
    world.scale(0, 4);
    turns(world, 15, true).await;
    world.scale(0, 2);
    let app = world.plans.apps[0].id;
    world.names.get_mut(&app).unwrap().insert("www.example.org".parse().unwrap());
    turns(world, 20, true).await;
    world.plans.apps.remove(1);
    turns(world, 1, true).await;
    world.settle().await;
}

#[tokio::test]
async fn after_a_death_or_a_lost_answer_at_any_step_exactly_what_is_wanted_exists() {
    let mut calm = World::new(2);
    history(&mut calm).await;
    calm.is_whole();
    let calls = calm.sky.sky().calls;
    assert!(calm.sky.sky().changes > 12, "there is something to die at");
    for at in 0..calls {
        for fault in [Fault::DiesAfter, Fault::Unheard, Fault::Throttled] {
            let mut world = World::new(2);
            let mut faults = vec![Fault::None; at];
            faults.push(fault);
            world.sky.sky().faults = faults.into();
            history(&mut world).await;
            assert_eq!(world.died, usize::from(fault == Fault::DiesAfter), "at {at}");
            world.is_whole();
        }
    }
}
