//! The server is killed at each of its launches in turn, before AWS has carried it out or after that and before the answer. In the end
//! there is exactly what was wanted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::region::Simcloud;
use crate::server::{Server, until};

/// Kills the server at its first launch, again and again, until it comes to an end. Returns how often.
fn killed_at_each_launch(sky: &Simcloud, when: &str) -> (Server, usize) {
    let hold = json!({ "service": "ec2", "action": "RunInstances", "hold": when, "times": 1 });
    let number = sky.tell("fault", &hold)["number"].clone();
    let mut server = Server::start(sky);
    let mut armed = number;
    for kills in 0..40 {
        let caught = until("a launch, or the end", || match () {
            () if is_caught(sky, &armed) => Some(true),
            () if is_whole(&mut server) => Some(false),
            () => None,
        });
        if !caught {
            return (server, kills);
        }
        sky.tell("clear", &json!({}));
        armed = sky.tell("fault", &hold)["number"].clone();
        server.kill_and_start();
    }
    panic!("it never comes to an end");
}

/// Tells whether a fault holds a call.
pub(crate) fn is_caught(sky: &Simcloud, number: &Value) -> bool {
    count(sky, number, "held") > 0
}

/// Tells whether a fault has a call, which it holds now or in a moment.
pub(crate) fn has_struck(sky: &Simcloud, number: &Value) -> bool {
    count(sky, number, "struck") > 0
}

fn count(sky: &Simcloud, number: &Value, of: &str) -> u64 {
    let faults = sky.ask("faults");
    let all = faults.as_array().or_else(|| faults["faults"].as_array()).unwrap();
    let fault = all.iter().find(|fault| fault["number"] == *number);
    fault.and_then(|fault| fault[of].as_u64()).unwrap_or_default()
}

/// Tells whether each zone has an instance, as far as the server knows.
pub(crate) fn is_whole(server: &mut Server) -> bool {
    let there =
        ["us-east-1a", "us-east-1b", "us-east-1c"].map(|zone| (zone.to_owned(), "booting".to_owned()));
    server.instances() == there
}

fn assert_exactly_one_in_each_zone(sky: &Simcloud) {
    let state = sky.ask("state");
    let instances: Vec<&Value> = state["instances"].as_object().unwrap().values().collect();
    let zones: Vec<&str> = instances.iter().map(|instance| instance["zone"].as_str().unwrap()).collect();
    let different: BTreeSet<&str> = zones.iter().copied().collect();
    assert_eq!((zones.len(), different.len()), (3, 3), "{zones:?}");
    for instance in instances {
        assert_eq!(instance["tags"]["paas:launch"], instance["client_token"]);
        assert!(matches!(instance["state"].as_str(), Some("pending" | "running")), "{instance}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_launch_is_carried_out_it_makes_it_later_and_once() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    let (_server, kills) = tokio::task::block_in_place(|| killed_at_each_launch(&sky, "before"));
    assert!(kills >= 1);
    assert_exactly_one_in_each_zone(&sky);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_launch_was_carried_out_it_finds_it_by_its_mark() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    let (_server, kills) = tokio::task::block_in_place(|| killed_at_each_launch(&sky, "after"));
    assert!(kills >= 1);
    assert_exactly_one_in_each_zone(&sky);
}
