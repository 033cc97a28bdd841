//! Stories of who may stand in for whom, and where new replicas go.

use super::toy::{Toy, starting, target, version};
use super::*;
use crate::replica::Phase;

#[test]
fn what_a_failed_rollout_left_leaves_even_when_nothing_else_is_up() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    let mut left = toy.world.apps[0].replicas[0].clone();
    (left.id, left.version, left.generation) = (ReplicaId(uuid::Uuid::from_u128(99)), version(2), 2);
    toy.app().replicas.push(left.clone());
    let old = toy.world.apps[0].replicas[0].id;
    toy.change(old, |seen| seen.phase = Phase::Backoff);
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Drain(left.id)]);
}

#[test]
fn one_that_was_not_reported_just_now_is_not_taken_for_down() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.app().replicas[0].replace = true;
    plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
    toy.app().replicas[0].seen = Observation::Pending;
    toy.app().replicas[1].seen = Observation::Seen(starting());
    assert_eq!(plan(&toy.world, toy.now).actions, []);
}

#[test]
fn a_rollout_waits_for_the_place_of_a_replica_whose_host_was_lost() {
    let mut toy = Toy::new(2, 1);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
    let new = toy.world.apps[0].replicas[1].clone();
    toy.observe();
    toy.observe();
    toy.change(new.id, |seen| seen.entrance = true);
    // Its last report is still that it answers.
    toy.world.hosts.iter_mut().find(|host| host.id == new.host).unwrap().standing = Standing::Lost;
    let actions = plan(&toy.world, toy.now).actions;
    assert!(!actions.iter().any(|action| matches!(action, Action::Switch(_))), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::Create(_))), "{actions:?}");
}

#[test]
fn replicas_of_one_type_are_spread_before_load_is_evened_out() {
    let mut toy = Toy::new(2, 1);
    toy.deploy(1).unwrap();
    let first = toy.world.apps[0].replicas[0].clone();
    let other = toy.world.hosts.iter().map(|host| host.id).find(|id| *id != first.host).unwrap();
    for n in [90, 91, 92] {
        let (id, process) = (ReplicaId(uuid::Uuid::from_u128(n)), ProcessType::run());
        let wish = ReplicaWish::Once { seconds: 60 };
        toy.app().replicas.push(ReplicaView { id, process, wish, host: other, ..first.clone() });
    }
    toy.scale(2);
    let actions = plan(&toy.world, toy.now).actions;
    assert!(
        matches!(actions.as_slice(), [Action::Create(new)] if new.host == other),
        "the second goes to the busier host, where none of its type is: {actions:?}"
    );
}
