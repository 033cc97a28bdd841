//! An app that needs more hosts than there are gets instances of which one never boots and one never joins; then one freezes and one is cut
//! off; and at last hardly any of them is needed. Visitors come all the while.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::platform::{Platform, until};
use crate::zone::until_found_out;

const FEWEST: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 1)];

impl Platform {
    /// Has each replica be so large that hosts have room for few, which here offer nine tenths of what this computer has, and tells the fleet
    /// how much that is; returns how many replicas it takes to fill twice as many hosts as there are.
    fn many(&self) -> usize {
        let hosts = self.shown(&["hosts"]);
        let one = hosts.as_array().unwrap().iter().find(|host| host["embedded"] != true).unwrap();
        let (memory, cores) =
            (&one["memory_bytes"].as_u64().unwrap(), one["cpu_millicores"].as_u64().unwrap() / 1_000);
        let gigabytes = (memory / 930 * 1_000) >> 30;
        self.paasctl(&["hosts:types", &format!("t3.medium={gigabytes}:{cores}")]);
        self.paasctl(&["hosts:headroom", "0"]);
        self.paasctl(&["ps:type", "web=performance-l", "-a", "shop"]);
        let fit = (memory / (14 << 30)).min(cores * 10 / 8).max(1);
        usize::try_from(fit).unwrap() * 6
    }

    /// Returns why replicas of the app have no place, one entry for each.
    fn waiting(&self) -> Vec<String> {
        let replicas = self.shown(&["ps", "-a", "shop"]);
        let all = replicas.as_array().cloned().unwrap_or_default();
        let waiting = all.iter().filter(|replica| replica["phase"] == "waiting");
        waiting.map(|replica| replica["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until so many replicas answer through the load balancer, none of them on these instances.
    fn serves_without(&self, count: usize, lost: &[String]) {
        until("all replicas elsewhere", || {
            let (placed, routed) = (self.replicas(), self.inventory().targets(|state| state == "healthy"));
            let elsewhere = |all: &[String]| all.len() == count && all.iter().all(|id| !lost.contains(id));
            (elsewhere(&placed) && elsewhere(&routed)).then_some(())
        });
    }

    fn ended(&self) -> Vec<String> {
        let state = self.cloud.ask("state");
        let all = state["instances"].as_object().unwrap().iter();
        let ended = |one: &Value| {
            one["tags"]["paas:launch"].is_string()
                && matches!(one["state"].as_str(), Some("terminated" | "shutting-down"))
        };
        all.filter(|(_, one)| ended(one)).map(|(id, _)| id.clone()).collect()
    }
}

#[test]
fn what_never_joins_freezes_or_is_cut_off_is_made_up_for_and_who_is_not_needed_is_emptied_first() {
    let Some(platform) = Platform::start() else { return };
    platform.paasctl(&["hosts:patience", "none", "--boot", "1m"]);
    platform.open_shop(1);
    let set =
        platform.during("config", || drop(platform.paasctl(&["config:set", "GREETING=hi", "-a", "shop"])));
    set.assert_none_failed();
    let many = platform.many();
    grows(&platform, many);
    falls_silent(&platform, many);

    let emptied = platform.during("scale to 2", || {
        platform.paasctl(&["ps:scale", "web=2", "-a", "shop"]);
        platform.at_rest(&FEWEST, 2);
    });
    emptied.assert_none_failed();
    platform.tells("nothing runs on");
}

/// Asks for more replicas than hosts have room for.
fn grows(platform: &Platform, many: usize) {
    platform.cloud.tell("boot", &json!({ "how": "dead", "times": 1, "az": "us-east-1b" }));
    platform.cloud.tell("boot", &json!({ "how": "stuck", "times": 1, "az": "us-east-1c" }));
    let grown = platform.during("scale to many", || {
        std::thread::scope(|scope| {
            let web = format!("web={many}");
            let scale = scope.spawn(move || platform.paasctl(&["ps:scale", &web, "-a", "shop"]));
            until("replicas that say what they wait for", || {
                platform.waiting().iter().any(|why| why.contains("waits for an instance")).then_some(())
            });
            scale.join().unwrap();
        });
    });
    grown.assert_none_failed();
    platform.tells("did not start within 60 s");
    platform.tells("no host joined from it");
    assert_eq!(platform.ended().len(), 2, "those two, and no other");
}

/// One instance freezes, and the network of another is gone; both come back when their replicas are elsewhere.
fn falls_silent(platform: &Platform, many: usize) {
    let hosts: BTreeSet<String> = platform.replicas().into_iter().collect();
    let lost: Vec<String> = hosts.into_iter().take(2).collect();
    let mut began = SystemTime::now();
    let silent = platform.during("one freezes, one is cut off", || {
        began = SystemTime::now();
        for (id, how) in lost.iter().zip(["freeze", "network"]) {
            platform.cloud.tell("kill", &json!({ "instance_id": id, "how": how }));
        }
        until("the hosts to be shown as lost", || {
            let shown = platform.hosts("lost");
            lost.iter().all(|id| shown.contains(id)).then_some(())
        });
        platform.serves_without(many, &lost);
    });
    let (last, most) = (silent.failed_until(began), until_found_out(&platform.cloud));
    eprintln!("the last one failed {last:.1} s after that");
    assert!(last <= most, "visitors failed for {last} s, and the load balancer finds out within {most} s");

    let back = platform.during("both are back", || {
        for (id, how) in lost.iter().zip(["thaw", "connect"]) {
            platform.cloud.tell("kill", &json!({ "instance_id": id, "how": how }));
        }
        until("what was lost to have stopped what it ran, and to be used again or ended", || {
            let routed = platform.inventory().routed();
            assert!(routed.len() == many && routed.iter().all(|id| !lost.contains(id)), "twice: {routed:?}");
            let hosts = platform.all_hosts();
            let settled = |id: &String| hosts.iter().all(|(name, state)| name != id || state == "ready");
            (!hosts.is_empty() && lost.iter().all(settled)).then_some(())
        });
    });
    back.assert_none_failed();
}
