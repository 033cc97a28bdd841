//! A zone is cut off from everything, and comes back, while visitors come.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::json;

use crate::cloud::{Cloud, texts};
use crate::platform::{Platform, until};

const ZONES: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), (CUT, 2)];

/// Not the one that the control plane is in.
const CUT: &str = "us-east-1c";

#[test]
fn a_zone_that_is_cut_off_is_made_up_for_elsewhere_and_welcome_when_it_is_back() {
    let Some(platform) = Platform::start() else { return };
    // Of a zone that has more hosts than others more are lost at once than fail by themselves.
    platform.paasctl(&["hosts:bounds", CUT, "--min", "2"]);
    until("another host to join", || (platform.hosts("ready").len() == 5).then_some(()));
    platform.open_shop(6);
    let before = platform.at_rest(&ZONES, 6);
    let there = before.of_zone(CUT);
    cut_off(&platform, &there, 6);
    assert_eq!(
        platform.inventory().spread(&platform.replicas()),
        [("us-east-1a", 3), ("us-east-1b", 3)].into()
    );

    let healed = platform.during_elsewhere(CUT, "the zone is back", || {
        platform.cloud.tell("heal", &json!({ "az": CUT }));
        until("the zone's hosts to have stopped what they ran and to be back", || {
            let routed = platform.inventory().routed();
            assert!(routed.len() == 6 && routed.iter().all(|id| !there.contains(id)), "twice: {routed:?}");
            (platform.hosts("ready").len() == 5).then_some(())
        });
        platform.at_rest(&ZONES, 6);
    });
    healed.assert_none_failed();
    let after = platform.inventory();
    assert_eq!((&after.machines, &after.rules), (&before.machines, &before.rules));

    let scaled =
        platform.during("scale to 9", || drop(platform.paasctl(&["ps:scale", "web=9", "-a", "shop"])));
    scaled.assert_none_failed();
    let after = platform.at_rest(&ZONES, 9);
    assert!(after.routed().iter().any(|id| there.contains(id)), "the zone gets nothing: {after:#?}");
}

#[test]
fn one_of_two_zones_is_made_up_for_because_the_load_balancer_misses_it_too() {
    let Some(platform) = Platform::start() else { return };
    platform.paasctl(&["hosts:patience", "none"]);
    platform.paasctl(&["hosts:bounds", "us-east-1b", "--min", "0", "--max", "0"]);
    for zone in ["us-east-1a", CUT] {
        platform.paasctl(&["hosts:bounds", zone, "--min", "2", "--max", "3"]);
    }
    platform.at_rest(&[("us-east-1a", 2), (CUT, 2)], 0);
    platform.open_shop(4);
    let before = platform.at_rest(&[("us-east-1a", 2), (CUT, 2)], 4);
    cut_off(&platform, &before.of_zone(CUT), 4);
    assert_eq!(platform.inventory().spread(&platform.replicas()), [("us-east-1a", 4)].into());
    platform.cloud.tell("heal", &json!({ "az": CUT }));
    let back = |hosts: &[String]| before.of_zone(CUT).iter().all(|id| hosts.contains(id));
    until("the zone's hosts to be back", || back(&platform.hosts("ready")).then_some(()));
}

/// Cuts the zone off that these replicas are in, and waits until all of so many are elsewhere.
fn cut_off(platform: &Platform, there: &BTreeSet<String>, count: usize) {
    let mut began = SystemTime::now();
    let cut = platform.during_elsewhere(CUT, "a zone is cut off", || {
        began = SystemTime::now();
        platform.cloud.tell("cut", &json!({ "az": CUT }));
        until("all replicas elsewhere", || {
            let routed = platform.inventory().routed();
            let (placed, gone) =
                (platform.replicas(), |all: &[String]| all.iter().all(|id| !there.contains(id)));
            (placed.len() == count && gone(&placed) && routed.len() == count && gone(&routed)).then_some(())
        });
    });
    let (last, most) = (cut.failed_until(began), until_found_out(&platform.cloud));
    eprintln!("the last one failed {last:.1} s after the cut");
    assert!(last <= most, "visitors failed for {last} s, and the load balancer finds out within {most} s");
}

/// Returns within how many seconds AWS's load balancer takes a target for unhealthy, by the settings of its group: each of so many
/// checks begins an interval after the one before, and takes as long as it may. The one here checks five times as often.
pub(crate) fn until_found_out(cloud: &Cloud) -> f64 {
    let groups = cloud.call("elasticloadbalancing", &[("Action", "DescribeTargetGroups")]);
    let number = |element: &str| texts(&groups, element).remove(0).parse::<f64>().unwrap();
    let each = number("HealthCheckIntervalSeconds") + number("HealthCheckTimeoutSeconds");
    each * number("UnhealthyThresholdCount")
}
