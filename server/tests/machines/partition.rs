//! A host that the control plane does not hear of while visitors reach it.

use std::collections::BTreeMap;

use super::fleet::{Fleet, by_zone, wait_for_replicas};
use crate::app::TestApp;

/// Returns on which host each replica is.
fn places(app: &TestApp<'_>) -> BTreeMap<String, String> {
    let text = |dyno: &serde_json::Value, field: &str| dyno[field].as_str().unwrap().to_owned();
    app.json(&["ps"])
        .as_array()
        .unwrap()
        .iter()
        .map(|dyno| (text(dyno, "name"), text(dyno, "host")))
        .collect()
}

#[test]
fn a_short_cut_costs_nothing_and_ends_nothing() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    fleet.deploy(4);
    let before = fleet.processes(4);
    let (load, census) = (fleet.load(), fleet.census());
    load.during("a cut", || {
        fleet.hosts[2].machine.cut_off();
        fleet.wait_until_said("host b3 is silent");
        fleet.hosts[2].machine.heal();
        fleet.wait_until_said("host b3 is heard of again");
        fleet.wait_for_answers(4);
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    assert_eq!(fleet.processes(4), before, "no replica was replaced");
}

#[test]
fn a_long_cut_gives_each_name_to_one_replica_at_a_time() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.deploy(4);
    let (before, places) = (fleet.processes(4), places(&app));
    let (load, census) = (fleet.load(), fleet.census());
    load.during("a cut for long", || {
        fleet.hosts[2].machine.cut_off();
        fleet.wait_until_said("host b3 is lost");
        let hosts = wait_for_replicas(&app, 4);
        assert!(!hosts.contains_key("b3"), "{hosts:?}");
    })
    .assert_none_failed();
    load.during("its end", || {
        fleet.hosts[2].machine.heal();
        fleet.wait_until_said("host b3 has come back");
        app.paasctl(&["scale", "web=6"]);
        let hosts = wait_for_replicas(&app, 6);
        assert!(hosts.contains_key("b3"), "it is used again: {hosts:?}");
        assert_eq!(by_zone(&hosts).len(), 2);
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
    let after = fleet.processes(6);
    for (name, process) in before {
        assert_eq!(after[&name] != process, places[&name] == "b3", "{name} was on {}", places[&name]);
    }
}
