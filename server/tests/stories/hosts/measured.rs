//! What a host measures is in the history whether or not anybody was there to hear of it.

use jiff::Timestamp;
use serde_json::Value;

use super::machine::Machine;
use super::platform;
use crate::wait;

fn minute() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap() / 60
}

/// Returns the minutes that a machine keeps for a server.
fn kept(machine: &Machine) -> Vec<u64> {
    let text = std::fs::read_to_string(machine.data.join("agent/minutes")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["minute"].as_u64()).collect()
}

/// A minute goes by in which no server runs, and in its course the agent is killed.
#[test]
fn what_was_measured_while_no_server_ran_is_in_the_history_though_the_agent_was_killed_too() {
    let mut platform = platform();
    let mut machine = Machine::join(&platform, "one", 2);
    platform.app("shop").greets("hello").deploy();
    platform.known_app("shop").paasctl(&["scale", "web=3"]);
    platform.end_server(false);
    let alone = minute();
    wait::until("a measurement without a server", || kept(&machine).contains(&alone).then_some(()));
    wait::until("the next minute", || (minute() > alone).then_some(()));
    wait::until("what was measured in it", || kept(&machine).iter().any(|of| *of > alone).then_some(()));
    machine.kill();
    machine.start_again();
    platform.start_again();
    let history = wait::until("the minute without a server", || {
        let (_, shown) = platform.api("GET", "/hosts/one/metrics", &platform.token, None);
        let minutes = shown["minutes"].as_array()?.clone();
        let at = |of: &Value| of["at"].as_str()?.parse::<Timestamp>().ok();
        let of = |of: &&Value| at(of).is_some_and(|at| u64::try_from(at.as_second()).unwrap() / 60 == alone);
        minutes.iter().find(of).filter(|of| of["measured"] == true).cloned()
    });
    assert!(history["memory_used_bytes"].as_u64() > Some(0), "{history}");
    wait::until("the host to have nothing left to tell", || (!kept(&machine).contains(&alone)).then_some(()));
    let (_, hour) = platform.api("GET", "/hosts/one", &platform.token, None);
    assert_eq!(hour["last_hour"]["missing_minutes"], 0, "{hour}");
    let (_, shown) = platform.api("GET", "/apps/shop/metrics", &platform.token, None);
    for replica in shown["replicas"].as_array().unwrap() {
        let there = replica["memory_bytes"].as_array().unwrap().iter().skip_while(|memory| memory.is_null());
        assert!(there.clone().count() >= 2, "{shown}");
    }
}
