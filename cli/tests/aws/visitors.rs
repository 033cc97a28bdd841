//! Visitors come through the load balancer, at 200 a second, while everything behind it changes.

use crate::platform::{Platform, until};

#[test]
fn no_visitor_notices_what_changes_behind_the_load_balancer_and_a_lost_host_is_made_up_for() {
    let Some(platform) = Platform::start() else { return };
    platform.paasctl(&["apps:create", "shop", "--no-remote"]);
    let (deployed, told) = platform.push("first");
    assert!(deployed, "{told}");
    let scaled =
        platform.during("scale to 8", || drop(platform.paasctl(&["ps:scale", "web=8", "-a", "shop"])));
    scaled.assert_none_failed();
    assert_eq!(platform.replicas().len(), 8);

    let deploy = platform.during("deploy", || {
        let (deployed, told) = platform.push("second");
        assert!(deployed, "{told}");
    });
    deploy.assert_none_failed();
    assert!(deploy.who.iter().any(|who| who.ends_with("second")), "{:?}", deploy.who);
    platform
        .during("rollback", || drop(platform.paasctl(&["rollback", "v1", "-a", "shop"])))
        .assert_none_failed();
    let scaled =
        platform.during("scale to 2", || drop(platform.paasctl(&["ps:scale", "web=2", "-a", "shop"])));
    scaled.assert_none_failed();

    platform.paasctl(&["maintenance:on", "-a", "shop"]);
    let says = |page: &String| page.contains("This app is down for maintenance.");
    let page = until("a page for visitors", || Some(platform.page()).filter(says));
    assert!(page.ends_with(" 503"), "{page}");
    platform.paasctl(&["maintenance:off", "-a", "shop"]);
    until("visitors to be let in", || platform.page().ends_with(" 200").then_some(()));

    let killed = platform.during("the control plane is killed in a deploy", || {
        std::thread::scope(|scope| {
            let push = scope.spawn(|| platform.push("third"));
            until("the rollout to begin", || platform.has("v4").then_some(()));
            platform.kill_control();
            push.join().unwrap();
        });
        until("the release to serve", || platform.serves("v4").then_some(()));
    });
    killed.assert_none_failed();

    let host = platform.replicas().remove(0);
    platform.during("drain", || drop(platform.paasctl(&["hosts:drain", &host]))).assert_none_failed();
    platform.paasctl(&["hosts:resume", &host]);

    let host = platform.replicas().remove(0);
    let lost = platform.during("a host loses its power", || {
        platform.cloud.tell("kill", &serde_json::json!({ "instance_id": host, "how": "power" }));
        until("two replicas elsewhere", || {
            let replicas = platform.replicas();
            (replicas.len() == 2 && !replicas.contains(&host)).then_some(())
        });
    });
    let last = lost.failed.iter().filter_map(|failure| failure[0].as_f64()).fold(0.0, f64::max);
    assert!(last < 20.0, "until the load balancer has found out, and no longer: {:?}", lost.failed.last());
    platform.during("after that", || drop(platform.paasctl(&["ps", "-a", "shop"]))).assert_none_failed();
}
