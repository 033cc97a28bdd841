//! Another image is baked: all hosts are replaced by such as start from it while visitors come.

use crate::platform::{Platform, until};

const ZONES: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 1)];

#[test]
fn hosts_are_replaced_by_ones_of_another_image_zone_by_zone_and_no_visitor_notices() {
    let Some(platform) = Platform::start() else { return };
    platform.open_shop(6);
    let before = platform.at_rest(&ZONES, 6);
    let (mut image, mut fewest) = (String::new(), usize::MAX);
    let rolled = platform.during("all hosts are replaced", || {
        image = platform.bake();
        for left in [2, 1, 0] {
            until("another host of the old image to be gone", || {
                let inventory = platform.inventory();
                fewest = fewest.min(inventory.routed().len());
                let draining = inventory.spread(&platform.hosts("draining")).len();
                assert!(draining <= 1, "hosts drain in {draining} zones at once");
                let old = inventory.machines.values().filter(|machine| machine.image != image).count();
                (old <= left).then_some(())
            });
        }
        platform.at_rest(&ZONES, 6);
    });
    rolled.assert_none_failed();
    assert!(fewest >= 6, "only {fewest} replicas could be asked for a while");

    let after = platform.inventory();
    assert!(after.machines.values().all(|machine| machine.image == image));
    assert!(after.machines.keys().all(|id| !before.machines.contains_key(id)), "{after:#?}");
    assert_eq!(after.rules, before.rules);
    // Two builders of images, the control plane, three hosts, and three in their place.
    assert_eq!(platform.cloud.instances(), 9, "more were started than replaced");
}
