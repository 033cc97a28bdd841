//! Whoever decides dies at each call and each write of a fleet that grows and shrinks, one after the other.

use crate::made_up::Fault;
use crate::world::{REST, World};

async fn history(world: &mut World) {
    world.want(20);
    for _ in 0..12 {
        world.turn().await;
    }
    world.want(4);
    world.settle().await;
}

#[tokio::test]
async fn after_a_death_at_any_step_exactly_what_is_wanted_exists() {
    let mut calm = World::new(4).await;
    history(&mut calm).await;
    // Those at the end change nothing any more.
    let steps = calm.sky.sky.lock().unwrap().calls - 2 * REST;
    assert!(steps > 60, "it grows and shrinks");
    // To die after a call was done is to die before the next one.
    for at in 0..steps {
        let mut world = World::new(4).await;
        let mut faults = vec![Fault::None; at];
        faults.push(Fault::DiesAfter);
        world.sky.sky.lock().unwrap().faults = faults.into();
        history(&mut world).await;
        assert_eq!(world.died, 1, "at {at}");
        assert_eq!(world.alive().values().sum::<usize>(), 1, "at {at}");
        world.is_whole().await;
    }
}
