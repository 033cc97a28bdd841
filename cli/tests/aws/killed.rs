//! `paasctl` is killed at each of its calls in turn, after AWS did what was asked and before the answer came. The
//! next run goes on, and in the end there is exactly one of everything, or nothing.

use crate::cloud::{Cloud, hold, up};

/// Runs a command again and again, each time until its first call that changes something, and kills it there. Returns
/// how often it took.
pub(crate) fn killed_at_each_call(cloud: &Cloud, arguments: &[&str], fault: &serde_json::Value) -> usize {
    for runs in 0..200 {
        let number = cloud.tell("fault", fault)["number"].clone();
        let mut process = cloud.command(arguments).spawn().unwrap();
        if !cloud.caught(&number, &mut process) {
            cloud.tell("clear", &serde_json::json!({}));
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return runs;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        cloud.tell("clear", &serde_json::json!({}));
    }
    panic!("it never comes to an end");
}

#[test]
fn killed_after_each_call_it_ends_with_exactly_one_of_everything() {
    let Some(cloud) = Cloud::start() else { return };
    let Some(untouched) = Cloud::start() else { return };
    untouched.up(&["--egress", "one-nat"]);
    let mut arguments = up();
    arguments.extend(["--egress", "one-nat"]);
    let runs = killed_at_each_call(&cloud, &arguments, &hold("after"));
    assert!(runs > 40, "only {runs} calls were stopped");
    assert_eq!(cloud.census(), untouched.census());
    assert_eq!(cloud.steps(&["--egress", "one-nat"]), Vec::<serde_json::Value>::new());

    let down = ["aws:down", "--name", "prod", "--yes", "--delete-bucket"];
    let runs = killed_at_each_call(&cloud, &down, &hold("after"));
    assert!(runs > 25, "only {runs} calls were stopped");
    assert!(cloud.census().iter().all(|(_, count)| *count == 0), "{:?}", cloud.census());
}
