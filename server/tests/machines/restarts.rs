//! What no visitor notices: agents and the control plane that end and start again, and deploys meanwhile.

use std::time::Instant;

use super::census::{Answers, Census};
use super::fleet::{Fleet, by_zone, wait_for_answers, wait_for_replicas};
use crate::load::Load;

#[test]
fn a_deploy_a_dead_agent_and_a_restart_of_the_control_plane_go_unnoticed() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.app(4);
    let hosts = wait_for_replicas(&app, 4);
    assert_eq!(by_zone(&hosts), [("a".to_owned(), 2), ("b".to_owned(), 2)].into(), "{hosts:?}");
    let (router, host) = (fleet.platform.router, app.host());
    let load = Load::start(router, &host, "/", 50);
    load.during("a deploy", || {
        app.write("again", "").commit("Deploy again");
        app.deploy();
        wait_for_replicas(&app, 4);
    })
    .assert_none_failed();
    let before = Answers::now(&app, 4);
    let census = Census::start(&app);
    drop(app);
    let mut killed = Instant::now();
    let outcome = load.during("an agent's death", || {
        fleet.hosts[0].kill_agent();
        killed = Instant::now();
        fleet.hosts[0].start_agent();
        wait_for_answers(&fleet.platform.known_app("shop"), 4);
    });
    // What was in its hands then is lost: the way to its replicas leads through it.
    assert!(outcome.failures.iter().all(|failure| failure.came <= killed), "{outcome}");
    load.during("a restart of the control plane", || {
        fleet.platform.restart(true);
        wait_for_answers(&fleet.platform.known_app("shop"), 4);
    })
    .assert_none_failed();
    let app = fleet.platform.known_app("shop");
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    assert_eq!(Answers::now(&app, 4).latest(), before.latest(), "no replica was replaced");
}
