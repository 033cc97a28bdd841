//! A host that is emptied while visitors come and a release is rolled out, and one whose replicas are killed on purpose.

use std::collections::BTreeMap;

use super::fleet::{Fleet, by_zone, wait_for_replicas};

/// Returns how many replicas each host has, once a host has none of so many.
fn wait_until_off(app: &crate::app::TestApp<'_>, host: &str, replicas: usize) -> BTreeMap<String, usize> {
    crate::wait::until(&format!("{host} to be empty"), || {
        Some(wait_for_replicas(app, replicas)).filter(|hosts| !hosts.contains_key(host))
    })
}

#[test]
fn a_host_is_drained_and_a_release_rolled_out_meanwhile_and_nobody_notices() {
    let fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.deploy(4);
    let (load, census) = (fleet.load(), fleet.census());
    load.during("a drain", || {
        app.paasctl(&["hosts:drain", "b3"]);
        let hosts = wait_until_off(&app, "b3", 4);
        assert_eq!(by_zone(&hosts), [("a".to_owned(), 4)].into(), "{hosts:?}");
    })
    .assert_none_failed();
    load.during("a deploy while a host drains", || {
        app.paasctl(&["hosts:resume", "b3"]);
        app.paasctl(&["hosts:drain", "a1", "--no-wait"]);
        app.write("again", "").commit("Deploy again");
        app.deploy();
        let hosts = wait_until_off(&app, "a1", 4);
        assert_eq!(by_zone(&hosts), [("a".to_owned(), 2), ("b".to_owned(), 2)].into(), "{hosts:?}");
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
}

#[test]
fn a_drill_ends_all_of_a_host_and_tells_when_it_was_back() {
    let fleet = Fleet::start(&["a", "b", "b"]);
    let app = fleet.deploy(4);
    let hosts = wait_for_replicas(&app, 4);
    let report = app.json(&["hosts:drill", "a1"]);
    assert!(report["recovery_ms"].as_u64() > Some(0), "{report}");
    assert_eq!(wait_for_replicas(&app, 4), hosts, "each is back where it was");
    fleet.wait_for_answers(4);
}
