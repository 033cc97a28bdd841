//! A host that loses its power: requests go elsewhere at once, and what ran there starts elsewhere soon.

use std::time::{Duration, Instant};

use super::fleet::{Fleet, GRACE, by_zone, wait_for_replicas};

/// After this, no request goes to a host that died.
const UNNOTICED: Duration = Duration::from_secs(5);

/// A slow machine may be late with that by so much.
const LATE: Duration = Duration::from_secs(3);

/// A dead host may have called last so long ago at most: it would have been silent otherwise.
const SILENCE: Duration = Duration::from_secs(4);

/// Full capacity is back so long after the loss was declared.
const RECOVERY: Duration = Duration::from_secs(30);

#[test]
fn a_dead_hosts_replicas_start_elsewhere_and_what_it_brings_back_gets_no_request() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    fleet.deploy(4);
    let (load, census) = (fleet.load(), fleet.census());
    let died = Instant::now();
    let outcome = load.during("a host's death", || {
        fleet.hosts[0].die();
        fleet.wait_until_said("host a1 is lost");
        let lost = Instant::now();
        let hosts = wait_for_replicas(&fleet.app(), 4);
        eprintln!("lost after {:?}, all there again {:?} later: {hosts:?}", lost - died, lost.elapsed());
        assert!(lost - died > GRACE - SILENCE && lost.elapsed() < RECOVERY && !hosts.contains_key("a1"));
        assert_eq!(by_zone(&hosts), [("a".to_owned(), 2), ("b".to_owned(), 2)].into());
    });
    let latest = outcome.failures.iter().map(|failure| failure.came - died).max();
    eprintln!("the latest request that failed came {latest:?} after the death");
    assert!(latest.is_none_or(|latest| latest < UNNOTICED + LATE), "{outcome}");
    load.during("its return", || {
        fleet.hosts[0].boot();
        fleet.wait_until_said("host a1 has come back");
        fleet.app().paasctl(&["scale", "web=6"]);
        let hosts = wait_for_replicas(&fleet.app(), 6);
        assert!(hosts.contains_key("a1"), "it is used again: {hosts:?}");
    })
    .assert_none_failed();
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
}

#[test]
fn a_host_that_comes_back_before_it_is_lost_goes_on_as_it_was() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    let hosts = wait_for_replicas(&fleet.deploy(3), 3);
    fleet.hosts[1].die();
    fleet.hosts[1].boot();
    assert_eq!(wait_for_replicas(&fleet.app(), 3), hosts);
    fleet.wait_for_answers(3);
}
