//! A network that somebody else made is used, and stays as it is.

use serde_json::Value;

use crate::cloud::{Cloud, texts};

/// A network of somebody else's, with two subnets.
fn foreign(cloud: &Cloud) -> (String, Vec<String>) {
    let vpc = cloud.call("ec2", &[("Action", "CreateVpc"), ("CidrBlock", "10.9.0.0/16")]);
    let vpc = texts(&vpc, "vpcId").remove(0);
    let subnet = |addresses: &str, zone: &str| {
        let made = cloud.call(
            "ec2",
            &[
                ("Action", "CreateSubnet"),
                ("VpcId", &vpc),
                ("CidrBlock", addresses),
                ("AvailabilityZone", zone),
            ],
        );
        texts(&made, "subnetId").remove(0)
    };
    let subnets = vec![subnet("10.9.0.0/20", "us-east-1a"), subnet("10.9.16.0/20", "us-east-1b")];
    (vpc, subnets)
}

#[test]
fn a_network_that_exists_is_used_and_left_as_it_is() {
    let Some(cloud) = Cloud::start() else { return };
    let (vpc, subnets) = foreign(&cloud);
    let subnets = subnets.join(",");
    let wish = ["--vpc", &vpc, "--public-subnets", &subnets, "--host-subnets", &subnets];
    let site = cloud.up(&wish);
    assert_eq!(site["vpc"], vpc.as_str());
    assert_eq!(site["host_subnets"].as_array().unwrap().len(), 2, "{site:#}");
    assert_eq!(cloud.steps(&wish), Vec::<Value>::new());
    assert!(
        cloud.tagged("DescribeVpcs", "vpcId").is_empty()
            && cloud.tagged("DescribeSubnets", "subnetId").is_empty()
    );
    assert_eq!(cloud.tagged("DescribeSecurityGroups", "groupName").len(), 3);

    let removed = cloud.ok(&["aws:down", "--name", "prod", "--yes", "--delete-bucket", "--json"]);
    assert!(!removed.contains("vpc-") && !removed.contains("subnet-"), "{removed}");
    let after = cloud.call("ec2", &[("Action", "DescribeSubnets")]);
    assert!(subnets.split(',').all(|subnet| after.contains(subnet)));
    assert!(cloud.tagged("DescribeSecurityGroups", "groupName").is_empty());
}

#[test]
fn subnets_of_another_network_are_refused() {
    let Some(cloud) = Cloud::start() else { return };
    let (vpc, _) = foreign(&cloud);
    let (_, others) = foreign(&cloud);
    let others = others.join(",");
    let mut arguments = crate::cloud::up();
    arguments.extend(["--vpc", &vpc, "--public-subnets", &others, "--host-subnets", &others]);
    let told = cloud.fails(&arguments);
    assert!(told.contains("is not in vpc-"), "{told}");
    assert!(cloud.census().iter().all(|(_, count)| *count == 0));
}
