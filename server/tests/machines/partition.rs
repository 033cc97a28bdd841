//! A host that the control plane does not hear of while visitors reach it.

use super::census::{Answers, Census};
use super::fleet::{Fleet, by_zone, wait_for_answers, wait_for_replicas};
use crate::load::Load;
use crate::wait;

#[test]
fn a_short_cut_costs_nothing_and_ends_nothing() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.app(4);
    let before = Answers::now(&app, 4);
    let census = Census::start(&app);
    let load = Load::start(fleet.platform.router, &app.host(), "/", 50);
    let says = |text: &str| wait::until(text, || fleet.platform.server_log().contains(text).then_some(()));
    load.during("a cut", || {
        fleet.hosts[2].machine.cut_off();
        says("host b3 is silent");
        fleet.hosts[2].machine.heal();
        says("host b3 is heard of again");
        wait_for_answers(&app, 4);
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    assert_eq!(Answers::now(&app, 4).latest(), before.latest(), "no replica was replaced");
}

#[test]
fn a_long_cut_gives_each_name_to_one_replica_at_a_time() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.app(4);
    let census = Census::start(&app);
    let load = Load::start(fleet.platform.router, &app.host(), "/", 50);
    let says = |text: &str| wait::until(text, || fleet.platform.server_log().contains(text).then_some(()));
    load.during("a cut for long", || {
        fleet.hosts[2].machine.cut_off();
        says("host b3 is lost");
        let hosts = wait_for_replicas(&app, 4);
        assert!(!hosts.contains_key("b3"), "{hosts:?}");
    })
    .assert_none_failed();
    load.during("its end", || {
        fleet.hosts[2].machine.heal();
        says("host b3 has come back");
        app.paasctl(&["scale", "web=6"]);
        let hosts = wait_for_replicas(&app, 6);
        assert!(hosts.contains_key("b3"), "it is used again: {hosts:?}");
        assert_eq!(by_zone(&hosts).len(), 2);
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
}
