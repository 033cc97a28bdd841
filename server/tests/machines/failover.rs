//! The server that leads dies, sleeps, or is cut off, and the database loses its power: another server leads, and what is
//! asked of it is done, while visitors come.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use super::fleet::{Fleet, wait_for_replicas};
use crate::load::Load;
use crate::platform::TestPlatform;
use crate::wait;

fn signal(server: &TestPlatform, name: &str) {
    let pid = server.server_pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Sends visitors to these servers from now on, and nobody has a reason to complain who came before.
#[track_caller]
fn send_to(load: &Load, routers: &[SocketAddr]) {
    let before = load.send_to(routers);
    assert!(before.failures.is_empty(), "{before}");
}

#[test]
fn when_the_leader_is_killed_or_sleeps_the_other_leads_and_nobody_notices() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    fleet.deploy(3);
    let (load, census) = (fleet.load(), fleet.census());
    let term = fleet.eyes.leadership().unwrap().term;
    let killed = Instant::now();
    fleet.leader.platform.end_server(false);
    // What was in its hands is lost with it.
    let lost = load.send_to(&fleet.routers()[1..]);
    assert!(lost.failures.iter().all(|failure| failure.router == fleet.routers()[0]), "{lost}");
    load.during("a leader's death", || {
        fleet.eyes.next_term(term);
        eprintln!("the other led {:.1} s after the leader was killed", killed.elapsed().as_secs_f64());
        fleet.app_by_other().paasctl(&["scale", "web=4"]);
        wait_for_replicas(&fleet.app_by_other(), 4);
        fleet.leader.platform.start_again();
        fleet.wait_for_answers(4);
    })
    .assert_none_failed();
    std::mem::swap(&mut fleet.leader, &mut fleet.other);
    send_to(&load, &fleet.routers());
    fleet.wait_for_answers(4);

    // As what is in front of both does when one does not answer.
    send_to(&load, &fleet.routers()[1..]);
    load.during("a leader's sleep", || {
        let term = fleet.eyes.leadership().unwrap().term;
        signal(&fleet.leader.platform, "-STOP");
        let term = fleet.eyes.next_term(term);
        fleet.app_by_other().paasctl(&["scale", "web=5"]);
        wait_for_replicas(&fleet.app_by_other(), 5);
        signal(&fleet.leader.platform, "-CONT");
        wait::until("the first to know", || {
            fleet.leader.platform.server_log().contains("this server no longer leads").then_some(())
        });
        fleet.wait_for_answers(5);
        assert_eq!(fleet.eyes.leadership().unwrap().term, term, "it took nothing back");
    })
    .assert_none_failed();
    send_to(&load, &fleet.routers());
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
}

#[test]
fn a_leader_that_is_cut_off_serves_on_and_a_database_without_power_is_missed_by_no_visitor() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    fleet.deploy(3);
    let before = fleet.processes(3);
    let (load, census) = (fleet.load(), fleet.census());
    load.during("a leader that is cut off from hosts and database", || {
        let term = fleet.eyes.leadership().unwrap().term;
        fleet.leader.machine.cut_off();
        fleet.eyes.next_term(term);
        fleet.app_by_other().paasctl(&["scale", "web=4"]);
        wait_for_replicas(&fleet.app_by_other(), 4);
        fleet.leader.machine.heal();
        fleet.wait_for_answers(4);
    })
    .assert_none_failed();
    load.during("a database that loses its power", || {
        fleet.database.lose_power(|| {
            let server = &fleet.leader.platform;
            let (status, answer) = server.api("GET", "/apps/shop", &server.token, None);
            assert_eq!(status, 503, "{answer}");
        });
        let app = fleet.app();
        wait::until("the API", || app.try_paasctl(&["scale", "web=5"]).status.success().then_some(()));
        fleet.wait_for_answers(5);
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    let after = fleet.processes(5);
    let kept = before.iter().filter(|(name, process)| after.get(*name) == Some(process)).count();
    assert_eq!(kept, 3, "no replica was replaced: {before:?} {after:?}");
}
