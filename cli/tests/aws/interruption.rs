//! The cloud has planned maintenance of an instance, and takes another one back with two minutes' notice, while visitors
//! come.

use serde_json::json;

use crate::inventory::Machine;
use crate::platform::{Platform, until};

const ZONES: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 2)];

#[test]
fn an_instance_that_is_due_for_maintenance_or_taken_back_is_emptied_and_replaced_and_no_visitor_notices() {
    let Some(platform) = Platform::start() else { return };
    platform.paasctl(&["hosts:spot", "on"]);
    platform.paasctl(&["hosts:bounds", "us-east-1c", "--min", "2"]);
    until("a spot instance to join", || (platform.hosts("ready").len() == 5).then_some(()));
    platform.open_shop(6);
    let before = platform.at_rest(&ZONES, 6);
    let due = &before.of_zone("us-east-1a").pop_first().unwrap();
    assert!(platform.replicas().contains(due), "nothing runs there that could be lost");
    let maintained = platform.during("an instance is to be retired in two days", || {
        let plan = json!({ "instance_id": due, "code": "instance-retirement", "seconds": 2 * 24 * 60 * 60 });
        platform.cloud.tell("maintenance", &plan);
        until("the instance to go", || (!platform.inventory().machines.contains_key(due)).then_some(()));
        platform.at_rest(&ZONES, 6);
    });
    maintained.assert_none_failed();
    platform.tells("the cloud has planned maintenance of it for ");

    let before = platform.inventory();
    let of_spot = |machine: &Machine| (&*machine.zone, &*machine.lifecycle) == ("us-east-1c", "spot");
    let spot = before.machines.iter().find(|(_, machine)| of_spot(machine));
    let (taken, _) = spot.expect("the second one there is a spot instance");
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
    assert!(!after.machines.values().any(of_spot), "{after:#?}");
    assert_eq!(after.rules, before.rules);
}
