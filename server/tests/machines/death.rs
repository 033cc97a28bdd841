//! A host that loses its power: requests go elsewhere at once, and what ran there starts elsewhere soon.

use std::time::{Duration, Instant};

use super::census::Census;
use super::fleet::{Fleet, GRACE, by_zone, wait_for_answers, wait_for_replicas};
use crate::load::Load;
use crate::wait;

/// After this, no request goes to a host that died: it is silent after 4 s. The rest is for slow machines.
const UNNOTICED: Duration = Duration::from_secs(9);

/// A dead host may have called last so long ago at most: it would have been silent otherwise.
const SILENCE: Duration = Duration::from_secs(4);

#[test]
fn a_dead_hosts_replicas_start_elsewhere_and_no_more_requests_go_there() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.app(4);
    let census = Census::start(&app);
    let load = Load::start(fleet.platform.router, &app.host(), "/", 50);
    drop(app);
    let died = Instant::now();
    let outcome = load.during("a host's death", || {
        fleet.hosts[0].die();
        let app = fleet.platform.known_app("shop");
        wait::until("the host to be lost", || {
            fleet.platform.server_log().contains("host a1 is lost").then_some(())
        });
        let lost = Instant::now();
        let hosts = wait_for_replicas(&app, 4);
        eprintln!("lost after {:?}, all there again {:?} later: {hosts:?}", lost - died, lost.elapsed());
        assert!(lost - died > GRACE - SILENCE && !hosts.contains_key("a1"), "{hosts:?}");
        assert_eq!(by_zone(&hosts), [("a".to_owned(), 2), ("b".to_owned(), 2)].into());
    });
    let latest = outcome.failures.iter().map(|failure| failure.came - died).max();
    eprintln!("the latest request that failed came {latest:?} after the death");
    assert!(latest.is_none_or(|latest| latest < UNNOTICED), "{outcome}");
    load.finish("after that").assert_none_failed();
    census.finish().assert_no_name_had_two();
}

#[test]
fn a_host_that_comes_back_before_it_is_lost_goes_on_as_it_was() {
    let mut fleet = Fleet::start(&["a", "a", "b"]);
    let app = fleet.app(3);
    let hosts = wait_for_replicas(&app, 3);
    drop(app);
    fleet.hosts[1].die();
    fleet.hosts[1].boot();
    let app = fleet.platform.known_app("shop");
    assert_eq!(wait_for_replicas(&app, 3), hosts);
    wait_for_answers(&app, 3);
}
