//! What no visitor notices: agents, servers and a database that end and start again, and deploys meanwhile.

use std::time::Instant;

use super::fleet::{Fleet, by_zone, wait_for_replicas};
use crate::wait;

#[test]
fn a_deploy_a_dead_agent_and_restarts_of_each_part_of_the_control_plane_go_unnoticed() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.deploy(4);
    let hosts = wait_for_replicas(&app, 4);
    assert_eq!(by_zone(&hosts), [("a".to_owned(), 2), ("b".to_owned(), 2)].into(), "{hosts:?}");
    let load = fleet.load();
    load.during("a deploy", || {
        app.write("again", "").commit("Deploy again");
        app.deploy();
        wait_for_replicas(&app, 4);
    })
    .assert_none_failed();
    let before = fleet.processes(4);
    let census = fleet.census();
    let mut killed = Instant::now();
    let outcome = load.during("an agent's death", || {
        fleet.hosts[0].kill_agent();
        killed = Instant::now();
        fleet.hosts[0].start_agent();
        fleet.wait_for_answers(4);
    });
    // What was in its hands then is lost: the way to its replicas leads through it.
    assert!(outcome.failures.iter().all(|failure| failure.came <= killed), "{outcome}");
    load.during("a restart of the database", || {
        fleet.database.restart();
        fleet.wait_for_answers(4);
    })
    .assert_none_failed();
    load.during("a restart of the server that leads, and of the other", || {
        fleet.leader.platform.restart(true);
        fleet.wait_for_answers(4);
        fleet.other.platform.restart(true);
        fleet.wait_for_answers(4);
    })
    .assert_none_failed();
    // Each has to be called with a fresh one from then on; it holds thirty seconds.
    for host in &fleet.hosts {
        let renewed = || host.log().contains("the certificate was renewed").then_some(());
        wait::until(&format!("a fresh certificate of {}", host.name()), renewed);
    }
    fleet.wait_for_answers(4);
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    assert_eq!(fleet.processes(4), before, "no replica was replaced");
}
