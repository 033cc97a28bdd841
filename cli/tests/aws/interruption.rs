//! The cloud takes a spot instance back, with two minutes' notice, while visitors come.

use serde_json::json;

use crate::platform::{Platform, until};

const ZONES: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 2)];

#[test]
fn a_spot_instance_that_is_taken_back_is_emptied_and_replaced_and_no_visitor_notices() {
    let Some(platform) = Platform::start() else { return };
    platform.paasctl(&["hosts:spot", "on"]);
    platform.paasctl(&["hosts:bounds", "us-east-1c", "--min", "2"]);
    until("a spot instance to join", || (platform.hosts("ready").len() == 5).then_some(()));
    platform.open_shop(6);
    let before = platform.at_rest(&ZONES, 6);
    let spot = before.machines.iter().find(|(_, machine)| machine.lifecycle == "spot");
    let (taken, _) = spot.expect("the last one is a spot instance");
    assert!(platform.replicas().contains(taken), "nothing runs there that could be lost");

    let interrupted = platform.during("a spot instance is taken back", || {
        // That is why: the zone has none left, for nobody.
        platform.cloud.tell("capacity", &json!({ "us-east-1c/*/spot": 0 }));
        platform.cloud.tell("spot", &json!({ "instance_id": taken, "seconds": 120 }));
        until("the instance to go", || (!platform.inventory().machines.contains_key(taken)).then_some(()));
        platform.at_rest(&ZONES, 6);
    });
    interrupted.assert_none_failed();
    let after = platform.inventory();
    assert!(after.machines.values().all(|machine| machine.lifecycle == "on-demand"), "{after:#?}");
    assert_eq!(after.rules, before.rules);
}
