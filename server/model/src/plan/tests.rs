//! Stories and properties of the plan, on a toy world.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::toy::{Toy, starting, target, version};
use super::*;

#[test]
fn a_first_deploy_starts_what_the_formation_asks_for() {
    let mut toy = Toy::new(1, 2);
    assert_eq!(toy.deploy(1), Ok(()));
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
}

#[test]
fn a_deploy_that_crashes_leaves_the_old_release_alone() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.broken.push(2);
    let reason = toy.deploy(2).unwrap_err();
    assert_eq!(reason, "web.1 exited with status 1");
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
    assert_eq!(toy.healthy(), 2);
}

#[test]
fn nothing_is_routed_to_a_release_before_the_switch_nor_to_one_that_failed() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    for _ in 0..2 {
        let actions = plan(&toy.world, toy.now).actions;
        actions.into_iter().filter(|a| matches!(a, Action::Create(_))).for_each(|action| toy.act(action));
        toy.observe();
    }
    toy.observe();
    assert_eq!(toy.world.apps[0].probed().count(), 1, "the new one is healthy");
    assert!(toy.world.apps[0].routed().iter().all(|replica| replica.version == version(1)));
    toy.app().rollout = None;
    toy.app().replicas[0].seen = Observation::Seen(starting());
    assert_eq!(toy.healthy(), 0, "a failed release never stands in, even when the old one is down");
}

#[test]
fn from_the_switch_on_only_the_new_release_is_routed_to() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    while toy.world.apps[0].rollout.is_some() {
        plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
        let versions: Vec<u64> = toy.world.apps[0].routed().iter().map(|replica| replica.version.0).collect();
        let expected = if toy.world.apps[0].rollout.is_some() { [1, 1] } else { [2, 2] };
        assert_eq!(versions, expected);
        toy.observe();
    }
}

#[test]
fn a_release_command_runs_once_and_before_anything_starts() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.roll_out(target(2, 2, &["web", "release"]), RolloutPhase::ReleaseCommand);
    let first = plan(&toy.world, toy.now).actions;
    assert!(
        matches!(first.as_slice(), [Action::Create(new)] if new.process == ProcessType::release()),
        "{first:?}"
    );
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v2"]);
}

#[test]
fn a_failing_release_command_changes_nothing() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.broken.push(2);
    let operation = toy.roll_out(target(2, 2, &["web", "release"]), RolloutPhase::ReleaseCommand);
    toy.settle();
    assert_eq!(toy.outcome[&operation], Err("the release command exited with status 1".to_owned()));
    assert_eq!(toy.names(), ["web.1 v1"]);
}

#[test]
fn a_rollout_that_never_answers_ends_at_its_boot_time() {
    let mut toy = Toy::new(0, 1);
    let operation = toy.roll_out(target(1, 1, &["web"]), RolloutPhase::Rolling);
    toy.settle();
    assert_eq!(
        toy.outcome[&operation],
        Err(format!("there was no room for web in time: no host is ready; {MAKES_ROOM}"))
    );
}

#[test]
fn a_lost_host_is_replaced_on_the_others() {
    let mut toy = Toy::new(3, 3);
    toy.deploy(1).unwrap();
    assert_eq!(toy.spread(), [1, 1, 1]);
    toy.world.hosts[0].standing = Standing::Lost;
    toy.settle();
    let mut spread = toy.spread();
    spread.sort_unstable();
    assert_eq!(spread, [0, 1, 2]);
}

#[test]
fn one_replica_is_replaced_without_touching_its_neighbours() {
    let mut toy = Toy::new(1, 3);
    toy.deploy(1).unwrap();
    let before: Vec<_> = toy.world.apps[0].replicas.iter().map(|replica| replica.id).collect();
    toy.app().replicas[1].replace = true;
    toy.settle();
    let after: Vec<_> = toy.world.apps[0].replicas.iter().map(|replica| replica.id).collect();
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1", "web.3 v1"]);
    assert_eq!(before.iter().filter(|id| after.contains(id)).count(), 2);
}

#[test]
fn a_busy_replica_finishes_before_it_is_stopped_but_not_for_ever() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    let id = toy.world.apps[0].replicas[0].id;
    toy.change(id, |seen| seen.quiet = false);
    toy.scale(0);
    let drain = plan(&toy.world, toy.now).actions;
    assert_eq!(drain, [Action::Drain(id)]);
    toy.act(Action::Drain(id));
    assert_eq!(plan(&toy.world, toy.now).actions, []);
    let later = toy.now + SignedDuration::from_secs(31);
    assert_eq!(plan(&toy.world, later).actions, [Action::Stop(id)]);
}

#[test]
fn nothing_of_a_destroyed_app_stays() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.app().deleted = true;
    toy.settle();
    assert!(toy.world.apps[0].replicas.is_empty());
}

proptest! {
    #[test]
    fn any_change_converges_without_a_dip(
        hosts in 1u128..5, before in 0u32..6, after in 0u32..6, redeploy: bool, broken: bool, restart: bool,
    ) {
        let mut toy = Toy::new(hosts, before);
        prop_assert_eq!(toy.deploy(1), Ok(()));
        prop_assert_eq!(toy.healthy(), before as usize);
        if broken { toy.broken.push(2) }
        if redeploy { toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling); }
        if restart && !redeploy { toy.roll_out(target(1, 5, &["web"]), RolloutPhase::Rolling); }
        toy.scale(after);
        let floor = before.min(after) as usize;
        for _ in 0..30 {
            plan(&toy.world, toy.now).actions.into_iter().for_each(|action| toy.act(action));
            prop_assert!(toy.healthy() >= floor, "{} < {}", toy.healthy(), floor);
            toy.observe();
            prop_assert!(toy.healthy() >= floor, "{} < {}", toy.healthy(), floor);
            toy.now += SignedDuration::from_secs(1);
        }
        toy.settle();
        prop_assert_eq!(toy.healthy(), after as usize);
        prop_assert_eq!(toy.world.apps[0].replicas.len(), after as usize);
    }
}
