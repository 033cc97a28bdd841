//! From nothing to a set-up and back.

use serde_json::Value;

use crate::cloud::{Cloud, IMAGE, texts};

#[test]
fn a_second_run_has_nothing_to_do() {
    let Some(cloud) = Cloud::start() else { return };
    let site = cloud.up(&[]);
    assert_eq!(cloud.steps(&[]), Vec::<Value>::new());
    assert_eq!(cloud.up(&[]), site);
    let counts = cloud.census();
    let expected = [
        ("DescribeVpcs", 1),
        ("DescribeInternetGateways", 1),
        ("DescribeSubnets", 6),
        ("DescribeRouteTables", 4),
        ("DescribeAddresses", 0),
        ("DescribeSecurityGroups", 3),
        ("DescribeLaunchTemplates", 1),
        ("DescribeInstances", 0),
        ("endpoints", 1),
        ("roles", 2),
        ("profiles", 2),
        ("balancers", 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(site["host_subnets"].as_array().unwrap().len(), 3, "{site:#}");
    assert_eq!(site["bucket"], "paas-prod-123456789012-us-east-1");
    assert!(site["listeners"]["80"].as_str().unwrap().contains(":listener/app/paas-prod/"));
}

#[test]
fn going_down_removes_all_of_it_and_nothing_of_others() {
    let Some(cloud) = Cloud::start() else { return };
    let foreign = cloud.call("ec2", &[("Action", "CreateVpc"), ("CidrBlock", "10.9.0.0/16")]);
    let foreign = texts(&foreign, "vpcId").remove(0);
    let another = ["aws:up", "--name", "prod-2", "--network", "10.30", "--image", "ami-12c6146b", "--yes"];
    cloud.ok(&another);
    cloud.up(&["--egress", "one-nat"]);
    let before = cloud.call("ec2", &[("Action", "DescribeVpcs")]);
    assert!(before.contains(&foreign) && texts(&before, "cidrBlock").contains(&"10.20.0.0/16".to_owned()));

    let planned =
        cloud.ok(&["aws:plan", "--name", "prod", "--image", IMAGE, "--egress", "one-nat", "--json"]);
    let planned: Value = serde_json::from_str(&planned).unwrap();
    let costs = &planned["costs"]["setup"]["per_month"];
    let gone = cloud.ok(&["aws:down", "--name", "prod", "--yes", "--delete-bucket", "--json"]);
    let gone: Value = serde_json::from_str(&gone).unwrap();
    assert_eq!(&gone["saved_per_month"], costs, "{gone}");

    assert!(cloud.census().iter().all(|(_, count)| *count == 0), "{:?}", cloud.census());
    let after = cloud.call("ec2", &[("Action", "DescribeVpcs")]);
    assert!(after.contains(&foreign), "the foreign network is gone");
    let mut still = another.to_vec();
    still.extend(["--json"]);
    let site: Value = serde_json::from_str(&cloud.ok(&still)).unwrap();
    assert_eq!(site["cluster"], "prod-2");
    cloud.ok(&["aws:down", "--name", "prod", "--yes"]);
}

#[test]
fn the_bucket_stays_unless_its_removal_is_asked_for() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    cloud.ok(&["aws:down", "--name", "prod", "--yes"]);
    let first = cloud.steps(&[]).first().unwrap().clone();
    assert_eq!(first["part"], "vpc", "the bucket needs nothing: {first}");
    cloud.ok(&["aws:down", "--name", "prod", "--yes", "--delete-bucket"]);
    assert_eq!(cloud.steps(&[]).first().unwrap()["part"], "bucket");
}

#[test]
fn nobody_is_asked_where_nobody_can_answer() {
    let Some(cloud) = Cloud::start() else { return };
    let output = cloud.run(&["aws:up", "--name", "prod", "--image", "ami-12c6146b"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("$27.38") && told.contains("Say --yes"), "{told}");
    assert!(cloud.census().iter().all(|(_, count)| *count == 0));
}

#[test]
fn what_was_changed_by_hand_is_seen_and_set_again() {
    let Some(cloud) = Cloud::start() else { return };
    let site = cloud.up(&[]);
    let group = site["host_group"].as_str().unwrap();
    cloud.call(
        "ec2",
        &[
            ("Action", "AuthorizeSecurityGroupIngress"),
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "22"),
            ("IpPermissions.1.ToPort", "22"),
            ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ],
    );
    let steps = cloud.steps(&[]);
    assert_eq!(steps.len(), 1, "{steps:?}");
    let step = steps.first().unwrap();
    assert_eq!((&step["part"], &step["action"]["set"]), (&"security-group.host".into(), &"rules".into()));
    cloud.up(&[]);
    assert_eq!(cloud.steps(&[]), Vec::<Value>::new());
    let rules = cloud.call("ec2", &[("Action", "DescribeSecurityGroups"), ("GroupId.1", group)]);
    assert!(!texts(&rules, "fromPort").contains(&"22".to_owned()), "{rules}");
}

#[test]
fn old_versions_in_the_bucket_go_by_themselves_and_rules_of_others_stay() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    let theirs = "<LifecycleConfiguration><Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>x/</Prefix></Filter>\
         <Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>";
    cloud.lifecycle(Some(theirs));
    let steps = cloud.steps(&[]);
    assert!(steps.len() == 1 && steps[0].to_string().contains("tidied"), "{steps:?}");
    cloud.up(&[]);
    let rules = cloud.lifecycle(None);
    assert!(rules.contains("<ID>theirs</ID>") && rules.contains("<ID>paas-tidy</ID>"), "{rules}");
    assert!(rules.contains("<NoncurrentDays>30</NoncurrentDays>"), "{rules}");
    assert_eq!(cloud.steps(&[]), Vec::<Value>::new());
}

#[test]
fn another_wish_changes_what_it_must_and_nothing_else() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    let steps = cloud.steps(&["--instance-type", "t3.large"]);
    let parts: Vec<_> = steps.iter().map(|step| step["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["launch-template"]);
    cloud.up(&["--instance-type", "t3.large"]);
    assert_eq!(cloud.steps(&["--instance-type", "t3.large"]), Vec::<Value>::new());
}

#[test]
fn load_balancers_are_added_and_those_that_apps_are_on_stay() {
    let Some(cloud) = Cloud::start() else { return };
    let one = cloud.up(&[]);
    let plan = cloud.ok(&["aws:plan", "--name", "prod", "--image", IMAGE, "--balancers", "2"]);
    assert!(plan.contains("load balancer 2's port 80") && plan.contains("$54.75"), "{plan}");
    let change = "What is there costs $27.38 a month without hosts, so that this adds $27.38.";
    assert!(plan.contains(change), "{plan}");
    let two = cloud.up(&["--balancers", "2"]);
    assert_eq!((&two["balancer"], &two["address"]), (&one["balancer"], &one["address"]));
    assert!(two["more_addresses"][0].as_str().unwrap().starts_with("paas-prod--2-"), "{two:#}");
    assert_eq!(cloud.steps(&[]), Vec::<Value>::new(), "who does not say how many keeps them");

    let elb = "elasticloadbalancing";
    let listed = cloud.call(elb, &[("Action", "DescribeLoadBalancers"), ("Names.member.1", "paas-prod--2")]);
    let balancer = texts(&listed, "LoadBalancerArn").remove(0);
    let listeners = cloud.call(elb, &[("Action", "DescribeListeners"), ("LoadBalancerArn", &balancer)]);
    let rule = [
        ("Action", "CreateRule"),
        ("ListenerArn", &texts(&listeners, "ListenerArn")[0]),
        ("Priority", "7"),
        ("Conditions.member.1.Field", "host-header"),
        ("Conditions.member.1.Values.member.1", "shop.example.org"),
        ("Actions.member.1.Type", "fixed-response"),
        ("Actions.member.1.FixedResponseConfig.StatusCode", "503"),
    ];
    let rule = texts(&cloud.call(elb, &rule), "RuleArn").remove(0);
    let fewer = ["aws:up", "--name", "prod", "--image", IMAGE, "--yes", "--balancers", "1"];
    let refused = cloud.run(&fewer);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("load balancer 2 cannot go"), "{told}");

    cloud.call(elb, &[("Action", "DeleteRule"), ("RuleArn", &rule)]);
    assert_eq!(cloud.up(&["--balancers", "1"]), one);
    let left = cloud.call(elb, &[("Action", "DescribeLoadBalancers")]);
    assert_eq!(texts(&left, "LoadBalancerName"), ["paas-prod"]);
    cloud.up(&["--balancers", "2"]);
    cloud.ok(&["aws:down", "--name", "prod", "--yes"]);
    let left = cloud.call(elb, &[("Action", "DescribeLoadBalancers")]);
    assert_eq!(texts(&left, "LoadBalancerName"), Vec::<String>::new());
}
