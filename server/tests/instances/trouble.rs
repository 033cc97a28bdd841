//! What goes wrong at AWS while a real server runs: it says why where people look, goes on by itself, and in the end there is exactly
//! what was wanted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::killed::is_whole;
use crate::region::Simcloud;
use crate::server::{Server, until};

/// Waits until the server has said something of this where people look.
fn wait_for_event(server: &mut Server, part: &str) {
    until(part, || {
        let events = server.get("/fleet/events").unwrap_or_default();
        let said = events.as_array()?.iter().filter_map(|event| event["message"].as_str());
        said.into_iter().any(|message| message.contains(part)).then_some(())
    });
}

/// Returns the zones of the instances that have not ended.
fn zones(sky: &Simcloud) -> Vec<String> {
    let state = sky.ask("state");
    let there = |instance: &&Value| matches!(instance["state"].as_str(), Some("pending" | "running"));
    let instances = state["instances"].as_object().unwrap().values().filter(there);
    instances.map(|instance| instance["zone"].as_str().unwrap().to_owned()).collect()
}

/// Waits until an instance boots in each zone, as far as the server knows, and looks that there is no other.
fn wait_for_one_in_each_zone(sky: &Simcloud, server: &mut Server) {
    until("an instance in each zone", || is_whole(server).then_some(()));
    let there = zones(sky);
    assert_eq!((there.len(), there.iter().collect::<BTreeSet<_>>().len()), (3, 3), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_named_and_fresh_ones_are_all_that_it_needs() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    sky.tell("expire", &json!({ "access_key_id": "AKIASIMULATION000000" }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        wait_for_event(&mut server, "ExpiredToken");
        assert_eq!(zones(&sky), Vec::<String>::new());
        sky.tell("renew", &json!({ "access_key_id": "AKIASIMULATION000000" }));
        wait_for_one_in_each_zone(&sky, &mut server);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_are_not_found_yet_are_waited_for_and_not_started_twice() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    sky.tell("lag", &json!({ "seconds": 20 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        wait_for_one_in_each_zone(&sky, &mut server);
        until("them to be found", || (listed(&sky) == 3).then_some(()));
        wait_for_one_in_each_zone(&sky, &mut server);
    });
}

/// Returns how many launches AWS has carried out.
fn listed(sky: &Simcloud) -> usize {
    sky.ask("state")["instances"].as_object().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn launches_whose_answers_do_not_come_are_made_once() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    // Longer than a call may take: it is carried out when nobody listens any more.
    sky.tell("fault", &json!({ "service": "ec2", "action": "RunInstances", "delay": 40, "times": 3 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        until("a call to be given up and made again", || {
            let counts = sky.ask("counts");
            (counts["ec2 RunInstances"].as_u64() > Some(3)).then_some(())
        });
        assert!(server.get("/hosts").is_some(), "people are answered meanwhile");
        wait_for_one_in_each_zone(&sky, &mut server);
        until("what hung to be carried out", || {
            let calls = sky.ask("calls?after=0");
            let launches = calls.as_array()?.iter().filter(|call| call["action"] == "RunInstances");
            (launches.filter(|call| !call["status"].is_null()).count() >= 6).then_some(())
        });
        wait_for_one_in_each_zone(&sky, &mut server);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_fifth_of_the_rates_it_comes_as_far() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    sky.tell("throttle", &json!({ "scale": 0.2 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        wait_for_one_in_each_zone(&sky, &mut server);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_fails_to_boot_is_told_with_the_clouds_reason_and_replaced() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    sky.tell("boot", &json!({ "how": "fail", "times": 1 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        wait_for_event(&mut server, "Server.InternalError");
        wait_for_one_in_each_zone(&sky, &mut server);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_never_starts_is_told_and_replaced_after_the_time_that_was_set() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    sky.tell("boot", &json!({ "how": "stuck", "times": 3 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        server.send("PATCH", "/fleet", &json!({ "boot_seconds": 60 }));
        wait_for_event(&mut server, "did not start within 60 s");
        wait_for_one_in_each_zone(&sky, &mut server);
        assert!(listed(&sky) > 3, "nothing took its place");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_reached_is_named_and_what_fits_is_there() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    // A t3.medium has two.
    sky.tell("limits", &json!({ "vcpus": 4 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        wait_for_event(&mut server, "VcpuLimitExceeded");
        until("what fits", || (zones(&sky).len() == 2).then_some(()));
        assert_eq!(zones(&sky).into_iter().collect::<BTreeSet<_>>().len(), 2);
    });
}
