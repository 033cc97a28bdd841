//! What goes wrong at AWS, and what `aws:up` makes of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Cloud, up};

#[test]
fn answers_that_are_lost_lead_to_no_doubles() {
    let Some(cloud) = Cloud::start() else { return };
    // Of every third call that makes something AWS does it, and the line breaks before it says so.
    cloud.tell(
        "fault",
        &json!({ "action": "Create.*|Allocate.*", "drop": "after", "probability": 0.34, "times": 5 }),
    );
    cloud.up(&[]);
    cloud.tell("clear", &json!({}));
    let steps = cloud.steps(&[]);
    assert_eq!(steps, Vec::<Value>::new());
    let subnets = cloud.census().into_iter().find(|(what, _)| *what == "DescribeSubnets").unwrap();
    assert_eq!(subnets.1, 6);
    assert_eq!(cloud.tagged("DescribeVpcs", "vpcId").len(), 1);
}

#[test]
fn a_network_whose_making_was_not_answered_and_that_is_seen_late_is_not_made_again() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.tell("fault", &json!({ "service": "ec2", "action": "CreateVpc", "drop": "after", "times": 1 }));
    // For a while nobody shows it.
    cloud.tell(
        "fault",
        &json!({ "service": "ec2", "action": "DescribeVpcs", "code": "Unavailable", "skip": 1, "times": 2 }),
    );
    cloud.up(&[]);
    assert_eq!(cloud.tagged("DescribeVpcs", "vpcId").len(), 1);
}

#[test]
fn throttled_it_takes_longer_and_succeeds() {
    let Some(cloud) = Cloud::start() else { return };
    for code in ["RequestLimitExceeded", "Throttling"] {
        let service = if code == "Throttling" { "elasticloadbalancing" } else { "ec2" };
        cloud.tell("fault", &json!({ "service": service, "code": code, "probability": 0.2, "times": 12 }));
    }
    cloud.up(&[]);
    assert_eq!(cloud.tagged("DescribeVpcs", "vpcId").len(), 1);
}

#[test]
fn expired_credentials_stop_it_with_what_helps_and_new_ones_finish_it() {
    let Some(cloud) = Cloud::start() else { return };
    let expired = json!({ "service": "ec2", "action": "CreateSubnet", "code": "RequestExpired", "skip": 1 });
    cloud.tell("fault", &expired);
    let told = cloud.fails(&up());
    assert!(told.contains("does not accept the credentials") && told.contains("goes on"), "{told}");
    assert_eq!(cloud.tagged("DescribeSubnets", "subnetId").len(), 1);
    cloud.tell("clear", &json!({}));
    cloud.up(&[]);
    assert_eq!(cloud.tagged("DescribeSubnets", "subnetId").len(), 6);
}

#[test]
fn a_missing_right_and_a_limit_are_named() {
    let Some(cloud) = Cloud::start() else { return };
    let fault = |action: &str, code: &str, status: u16| {
        cloud.tell("clear", &json!({}));
        cloud.tell("fault", &json!({ "service": "ec2", "action": action, "code": code, "status": status }));
        cloud.fails(&up())
    };
    let told = fault("CreateVpc", "UnauthorizedOperation", 403);
    assert!(told.contains("the permission ec2:CreateVpc") && told.contains("aws:policy installer"), "{told}");
    let told = fault("CreateVpc", "VpcLimitExceeded", 400);
    assert!(
        told.contains("a limit of the AWS account is reached") && told.contains("Service Quotas"),
        "{told}"
    );
}

#[test]
fn a_name_that_is_taken_by_somebody_else_is_left_alone() {
    let Some(cloud) = Cloud::start() else { return };
    let role = [
        ("Action", "CreateRole"),
        ("RoleName", "paas-prod-host"),
        ("AssumeRolePolicyDocument", r#"{"Version":"2012-10-17","Statement":[]}"#),
    ];
    cloud.call("iam", &role);
    let told = cloud.fails(&up());
    assert!(told.contains("a role paas-prod-host exists already"), "{told}");
    assert!(cloud.tagged("DescribeVpcs", "vpcId").is_empty());
    cloud.fails(&["aws:down", "--name", "prod", "--yes"]);
}

#[test]
fn a_call_that_hangs_is_given_up() {
    let Some(cloud) = Cloud::start() else { return };
    let hang = json!({ "service": "ec2", "action": "CreateVpc", "hold": "after", "times": 1 });
    cloud.tell("fault", &hang);
    let begun = Instant::now();
    cloud.up(&[]);
    assert!(begun.elapsed() > Duration::from_secs(15), "it was not held up at all");
    assert_eq!(cloud.tagged("DescribeVpcs", "vpcId").len(), 1);
}
