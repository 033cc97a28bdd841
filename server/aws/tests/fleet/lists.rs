//! A list of instances is whole, or there is none.

use cloud::Cloud as _;
use model::instances::State;
use serde_json::json;

use crate::hosts::order;
use crate::region::Simcloud;

#[tokio::test]
async fn a_list_of_several_pages_is_whole_or_not_given() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await.paged(5);
    for _ in 0..7 {
        ec2.launch(&order("us-east-1a")).await.unwrap();
    }
    assert_eq!(ec2.list().await.unwrap().len(), 7);
    let fault = json!({ "service": "ec2", "action": "DescribeInstances", "code": "Unavailable", "skip": 1 });
    sky.tell("fault", &fault);
    let error = ec2.list().await.unwrap_err();
    assert!(error.contains("ec2:DescribeInstances"), "{error}");
    sky.tell("clear", &json!({}));
    let fault =
        json!({ "service": "ec2", "action": "DescribeInstanceStatus", "code": "UnauthorizedOperation" });
    sky.tell("fault", &fault);
    let error = ec2.list().await.unwrap_err();
    assert!(error.contains("permission ec2:DescribeInstanceStatus"), "{error}");
}

#[tokio::test]
async fn of_one_that_ends_instead_of_starting_it_is_told_why() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    sky.tell("boot", &json!({ "how": "fail" }));
    ec2.launch(&order("us-east-1a")).await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let listed = ec2.list().await.unwrap().remove(0);
        if listed.state == State::Ended {
            assert_eq!(listed.says.unwrap(), "Server.InternalError: Internal error on launch");
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed:?}");
    }
}

#[tokio::test]
async fn one_that_has_lost_its_power_is_impaired_in_time() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1, "checks": 0.1, "impaired": 0.1 }));
    let ec2 = sky.ec2().await;
    let id = ec2.launch(&order("us-east-1a")).await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut states = Vec::new();
    for wanted in [State::Running, State::Impaired] {
        loop {
            let state = ec2.list().await.unwrap()[0].state;
            if states.last() != Some(&state) {
                states.push(state);
            }
            if state == wanted {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{states:?}");
        }
        sky.tell("kill", &json!({ "instance_id": id.as_str(), "how": "power" }));
    }
}
