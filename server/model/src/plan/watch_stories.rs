//! Stories of the watch after a rollout, and of types that do not overlap, on the toy world.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::toy::{Toy, target, version};
use super::*;
use crate::exit::ExitCause;
use crate::replica::Phase;
use crate::watch::{Before, Traffic, Watch};

/// v2 serves with two replicas since now and is watched; v1 served before.
fn watched() -> Toy {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    toy.deploy(2).unwrap();
    let traffic = Traffic { requests: 1_000, errors: 1 };
    toy.app().watch = Some(Watch {
        version: version(2),
        generation: 2,
        fallback: version(1),
        since: toy.now,
        until: toy.now + SignedDuration::from_secs(60),
        before: Before { traffic, ..Before::default() },
    });
    toy
}

fn change(toy: &mut Toy, index: usize, change: impl FnOnce(&mut Observed)) {
    let id = toy.world.apps[0].replicas[index].id;
    toy.change(id, change);
}

fn crash(seen: &mut Observed) {
    seen.phase = Phase::Backoff;
    seen.exit = Some(ExitCause::Code(1));
    seen.reason = Some("exited with status 1; its last line was: boom".to_owned());
}

fn verdict(toy: &Toy) -> Vec<Action> {
    plan(&toy.world, toy.now).actions.into_iter().filter(|a| !matches!(a, Action::Verify(_))).collect()
}

fn reverts(toy: &Toy) -> Option<String> {
    verdict(toy).into_iter().find_map(|action| match action {
        Action::Revert(_, fault) => Some(fault.reason),
        _ => None,
    })
}

#[test]
fn a_release_that_stands_its_watch_is_left_alone() {
    let mut toy = watched();
    assert_eq!(verdict(&toy), []);
    toy.now += SignedDuration::from_secs(60);
    assert_eq!(verdict(&toy), [Action::EndWatch(toy.world.apps[0].id)]);
}

#[test]
fn one_crash_is_forgiven_and_two_are_not() {
    let mut toy = watched();
    change(&mut toy, 0, crash);
    assert_eq!(reverts(&toy), None);
    change(&mut toy, 0, |seen| seen.restarts = 1);
    let reason =
        "web.1 crashed 2 times within 60 s after the rollout: exited with status 1; its last line was: boom";
    assert_eq!(reverts(&toy).as_deref(), Some(reason));
}

#[test]
fn crashes_before_the_switch_and_those_of_a_host_do_not_count() {
    let mut toy = watched();
    change(&mut toy, 0, |seen| {
        crash(seen);
        seen.restarts = 1;
    });
    let id = toy.world.apps[0].replicas[0].id;
    toy.app().watch.as_mut().unwrap().before.restarts.insert(id, 1);
    assert_eq!(reverts(&toy), None);
    change(&mut toy, 0, |seen| (seen.restarts, seen.exit) = (5, Some(ExitCause::Lost)));
    assert_eq!(reverts(&toy), None);
}

#[test]
fn one_crash_each_of_most_replicas_is_a_fact_too() {
    let mut toy = watched();
    change(&mut toy, 0, crash);
    change(&mut toy, 1, crash);
    assert!(
        reverts(&toy)
            .unwrap()
            .starts_with("2 of 2 web replicas crashed within 60 s after the rollout: exited")
    );
}

#[test]
fn what_was_not_well_before_is_not_held_against_the_new_release() {
    let mut toy = watched();
    change(&mut toy, 0, |seen| {
        crash(seen);
        seen.restarts = 9;
    });
    let app = &toy.world.apps[0];
    let before = before_switch(app, &target(3, 3, &["web"]), toy.now);
    assert_eq!(before.unsteady, BTreeSet::from([ProcessType::web()]));
    toy.app().watch.as_mut().unwrap().before.unsteady = before.unsteady;
    assert_eq!(reverts(&toy), None);
}

#[test]
fn failed_probes_revert_once_they_last() {
    let mut toy = watched();
    let since = toy.now;
    change(&mut toy, 1, |seen| {
        (seen.phase, seen.since) = (Phase::Unhealthy, since);
        seen.reason = Some("answers 500 on /".to_owned());
    });
    assert_eq!(reverts(&toy), None);
    toy.now += SignedDuration::from_secs(5);
    assert_eq!(reverts(&toy).as_deref(), Some("web.2 failed its health checks for 5 s: it answers 500 on /"));
}

#[test]
fn errors_far_above_those_of_before_revert_and_no_traffic_says_nothing() {
    let mut toy = watched();
    assert_eq!(reverts(&toy), None);
    change(&mut toy, 0, |seen| seen.traffic = Traffic { requests: 100, errors: 20 });
    change(&mut toy, 1, |seen| seen.traffic = Traffic { requests: 100, errors: 4 });
    let reason = "12% of requests were answered 5xx or not at all (24 of 200), v1 had 0.1%";
    assert_eq!(reverts(&toy).as_deref(), Some(reason));
}

#[test]
fn a_revert_comes_with_the_rule_and_its_numbers() {
    let rule = |toy: &Toy| {
        verdict(toy).into_iter().find_map(|action| match action {
            Action::Revert(_, fault) => Some(fault.rule),
            _ => None,
        })
    };
    let mut toy = watched();
    change(&mut toy, 0, |seen| seen.traffic = Traffic { requests: 100, errors: 90 });
    assert!(rule(&toy).unwrap().starts_with("of 20 requests or more, 5 or more fail, 3 times as many"));
    change(&mut toy, 0, |seen| {
        crash(seen);
        seen.restarts = 1;
    });
    let crashes =
        "one replica crashes 2 times within 60 s after the rollout, or more than half of its type once each";
    assert_eq!(rule(&toy).as_deref(), Some(crashes));
}

#[test]
fn a_change_during_the_watch_ends_it() {
    let mut toy = watched();
    change(&mut toy, 0, |seen| {
        crash(seen);
        seen.restarts = 3;
    });
    toy.roll_out(target(3, 3, &["web"]), RolloutPhase::Rolling);
    assert_eq!(reverts(&toy), None);
    assert!(verdict(&toy).contains(&Action::EndWatch(toy.world.apps[0].id)));
}

#[test]
fn a_type_that_does_not_overlap_stops_before_it_starts_and_only_when_the_rest_answers() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.app().alone.insert(ProcessType::web());
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    let old = toy.world.apps[0].replicas[0].id;
    assert_eq!(
        plan(&toy.world, toy.now).actions,
        [Action::Drain(old)],
        "nothing is started beside the old one"
    );
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v2"]);
}

#[test]
fn a_rollout_that_waits_for_an_old_one_to_stop_says_so_at_its_deadline() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.app().alone.insert(ProcessType::web());
    toy.roll_out(target(2, 2, &["web"]), RolloutPhase::Rolling);
    toy.now += SignedDuration::from_secs(300);
    let operation = toy.world.apps[0].rollout.as_ref().unwrap().operation;
    let reason = "the time for it was over; web.1 of v1 had not stopped".to_owned();
    assert!(plan(&toy.world, toy.now).actions.contains(&Action::Fail(operation, reason)));
}

#[test]
fn one_in_surplus_helps_out_while_a_lower_number_is_down() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    change(&mut toy, 0, crash);
    toy.scale(1);
    assert_eq!(plan(&toy.world, toy.now).actions, [], "web.2 is all there is");
    change(&mut toy, 0, |seen| (seen.phase, seen.entrance) = (Phase::Healthy, false));
    let [first, second] = [0, 1].map(|at| toy.world.apps[0].replicas[at].id);
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Verify(first)], "it may not be reached yet");
    change(&mut toy, 0, |seen| seen.entrance = true);
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Drain(second)]);
}

#[test]
fn where_nothing_is_known_of_the_entrance_one_in_surplus_leaves_for_a_healthy_one() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    // As after a restart of whoever asks.
    for at in [0, 1] {
        change(&mut toy, at, |seen| seen.entrance = false);
    }
    toy.scale(1);
    let second = toy.world.apps[0].replicas[1].id;
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Drain(second)]);
}

#[test]
fn a_replacement_answers_through_the_entrance_before_the_old_one_leaves() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    toy.app().replicas[0].replace = true;
    let old = toy.world.apps[0].replicas[0].id;
    let create = plan(&toy.world, toy.now).actions;
    create.into_iter().for_each(|action| toy.act(action));
    toy.observe();
    toy.observe();
    let new = toy.world.apps[0].replicas[1].id;
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Verify(new)]);
    assert_eq!(toy.healthy(), 2, "both are asked meanwhile");
    toy.act(Action::Verify(new));
    assert_eq!(plan(&toy.world, toy.now).actions, [Action::Drain(old)]);
}
