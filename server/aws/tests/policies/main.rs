//! The policies: that each allows what the code calls and no more, and that they refuse what would let somebody out of
//! his part of the account.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bucket;
mod calls;
mod evaluation;

use aws::dns::ZoneId;
use aws::setup::{Names, POLICIES, Policy};
use evaluation::{Request, allows, one_or_many};
use serde_json::Value;

/// A policy of the platform `prod`.
fn policy(name: &str) -> Value {
    policy_in(name, Some(&"Z1".parse().unwrap()))
}

/// The same for a platform whose names are in this hosted zone, or in none.
fn policy_in(name: &str, dns_zone: Option<&ZoneId>) -> Value {
    let cluster = "prod".parse().unwrap();
    let names = Names {
        cluster: &cluster,
        account: "123456789012",
        region: "us-east-1",
        vpc: "vpc-1",
        balancer: "paas-prod",
        dns_zone,
    };
    Policy::named(name).unwrap().filled(&names)
}

#[test]
fn no_policy_has_a_blank_left_or_allows_by_wildcard() {
    for name in POLICIES.map(|policy| policy.name) {
        let policy = policy(name);
        assert!(!policy.to_string().contains("${"), "{name}");
        for statement in policy["Statement"].as_array().unwrap() {
            if statement["Effect"] != "Allow" {
                continue;
            }
            for action in one_or_many(&statement["Action"]) {
                assert!(!action.contains('*'), "{name} allows {action}");
                let reads = ["Describe", "GetCallerIdentity"].iter().any(|verb| action.contains(verb));
                assert!(reads || statement["Resource"] != "*", "{name} allows {action} everywhere");
            }
        }
    }
}

#[test]
fn names_are_kept_in_the_zone_that_was_named_and_in_no_other() {
    let change = |zone: &str| {
        Request::new("route53:ChangeResourceRecordSets", &format!("arn:aws:route53:::hostedzone/{zone}"))
    };
    for name in ["control", "installer"] {
        assert!(allows(&policy(name), &change("Z1")) && !allows(&policy(name), &change("Z2")), "{name}");
        assert!(!policy_in(name, None).to_string().contains("route53"), "{name}");
    }
}

#[test]
fn the_installer_tags_what_is_ours_with_the_zone_and_nothing_else() {
    let installer = policy("installer");
    let tag = |cluster: &str, key: &str| {
        Request::new("ec2:CreateTags", "arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1")
            .with("aws:ResourceTag/paas:cluster", cluster)
            .with("aws:TagKeys", key)
    };
    assert!(allows(&installer, &tag("prod", "paas:dns-zone")));
    assert!(!allows(&installer, &tag("other", "paas:dns-zone")));
    assert!(!allows(&installer, &tag("prod", "paas:cluster")));
}

#[test]
fn a_policy_fits_into_a_role() {
    // IAM's limit for all policies in a role together, blanks not counted.
    for name in ["control", "host"] {
        assert!(policy(name).to_string().len() <= 10_240, "{name}");
    }
}

#[test]
fn the_control_plane_launches_hosts_and_nothing_else() {
    let control = policy("control");
    let instance = Request::new("ec2:RunInstances", "arn:aws:ec2:us-east-1:123456789012:instance/*")
        .with("aws:RequestTag/paas:cluster", "prod")
        .with("aws:TagKeys", "paas:cluster")
        .with("ec2:MetadataHttpTokens", "required")
        .with("ec2:InstanceProfile", "arn:aws:iam::123456789012:instance-profile/paas-prod-host");
    assert!(allows(&control, &instance));
    assert!(!allows(&control, &instance.clone().with("ec2:MetadataHttpTokens", "optional")));
    assert!(!allows(&control, &instance.clone().with("aws:RequestTag/paas:cluster", "other")));
    assert!(!allows(&control, &instance.clone().with("aws:TagKeys", "owner")));
    let admin = "arn:aws:iam::123456789012:instance-profile/admin";
    assert!(!allows(&control, &instance.with("ec2:InstanceProfile", admin)));

    let image = Request::new("ec2:RunInstances", "arn:aws:ec2:us-east-1::image/ami-1");
    assert!(allows(&control, &image.clone().with("ec2:IsLaunchTemplateResource", "true")));
    assert!(!allows(&control, &image.with("ec2:IsLaunchTemplateResource", "false")));
    let subnet = Request::new("ec2:RunInstances", "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1");
    let vpc = |id| format!("arn:aws:ec2:us-east-1:123456789012:vpc/{id}");
    assert!(allows(&control, &subnet.clone().with("ec2:Vpc", &vpc("vpc-1"))));
    assert!(!allows(&control, &subnet.with("ec2:Vpc", &vpc("vpc-2"))));
}

#[test]
fn the_control_plane_ends_its_own_hosts_only_and_cannot_make_others_its_own() {
    let control = policy("control");
    let end = Request::new("ec2:TerminateInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1");
    assert!(allows(&control, &end.clone().with("aws:ResourceTag/paas:cluster", "prod")));
    assert!(!allows(&control, &end.clone().with("aws:ResourceTag/paas:cluster", "other")));
    assert!(!allows(&control, &end));

    let tag = Request::new("ec2:CreateTags", "arn:aws:ec2:us-east-1:123456789012:instance/i-1")
        .with("aws:TagKeys", "paas:cluster")
        .with("aws:RequestTag/paas:cluster", "prod");
    assert!(!allows(&control, &tag), "a foreign instance could be tagged as ours, and then ended");
    assert!(allows(&control, &tag.with("ec2:CreateAction", "RunInstances")));
}

#[test]
fn the_control_plane_changes_neither_networks_nor_roles() {
    let control = policy("control");
    for action in [
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateVpc",
        "ec2:DeleteSubnet",
        "elasticloadbalancing:DeleteLoadBalancer",
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
    ] {
        let request = Request::new(action, "*").with("aws:ResourceTag/paas:cluster", "prod");
        assert!(!allows(&control, &request), "{action}");
    }
    let pass = |role: &str, to: &str| {
        let role = format!("arn:aws:iam::123456789012:role/{role}");
        Request::new("iam:PassRole", &role).with("iam:PassedToService", to)
    };
    assert!(allows(&control, &pass("paas-prod-host", "ec2.amazonaws.com")));
    assert!(!allows(&control, &pass("paas-prod-host", "lambda.amazonaws.com")));
    assert!(!allows(&control, &pass("paas-prod-control", "ec2.amazonaws.com")));
}

#[test]
fn the_control_plane_reaches_its_own_bucket_and_target_groups_only() {
    let control = policy("control");
    let get = |bucket: &str| Request::new("s3:GetObject", &format!("arn:aws:s3:::{bucket}/slugs/a"));
    assert!(allows(&control, &get("paas-prod-123456789012-us-east-1")));
    assert!(!allows(&control, &get("paas-other-123456789012-us-east-1")));
    let register = |group: &str| {
        let arn = format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{group}/abc");
        Request::new("elasticloadbalancing:RegisterTargets", &arn)
    };
    assert!(allows(&control, &register("paas-prod-1f2e")));
    assert!(!allows(&control, &register("shop")));
    let rule = |balancer: &str| {
        let arn = format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/{balancer}/1/2");
        Request::new("elasticloadbalancing:CreateRule", &arn).with("aws:RequestTag/paas:cluster", "prod")
    };
    assert!(allows(&control, &rule("paas-prod")) && allows(&control, &rule("paas-prod--2")));
    assert!(!allows(&control, &rule("paas-prod-2")), "that is another platform's");
}

#[test]
fn a_host_may_do_nothing() {
    let host = policy("host");
    for action in ["ec2:DescribeInstances", "s3:GetObject", "iam:GetRole", "ssm:GetParameter"] {
        assert!(!allows(&host, &Request::new(action, "*")), "{action}");
    }
}

#[test]
fn the_installer_touches_nothing_that_is_not_the_platforms() {
    let installer = policy("installer");
    let delete = Request::new("ec2:DeleteVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-9");
    assert!(allows(&installer, &delete.clone().with("aws:ResourceTag/paas:cluster", "prod")));
    assert!(!allows(&installer, &delete));
    let create = Request::new("ec2:CreateVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/*");
    assert!(allows(&installer, &create.clone().with("aws:RequestTag/paas:cluster", "prod")));
    assert!(!allows(&installer, &create), "what is made without a tag would never be found again");
    let tag = Request::new("ec2:CreateTags", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-9");
    assert!(!allows(&installer, &tag), "a foreign network could be tagged as ours, and then removed");
    let rule = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shared/1/2/3";
    let rule = Request::new("elasticloadbalancing:DeleteRule", rule);
    assert!(allows(&installer, &rule.clone().with("aws:ResourceTag/paas:cluster", "prod")));
    assert!(!allows(&installer, &rule.clone().with("aws:ResourceTag/paas:cluster", "other")));
    assert!(!allows(&installer, &rule), "a rule of the load balancer's owner");
    let put =
        |role: &str| Request::new("iam:PutRolePolicy", &format!("arn:aws:iam::123456789012:role/{role}"));
    assert!(allows(&installer, &put("paas-prod-host")) && !allows(&installer, &put("admin")));
    assert!(!allows(&installer, &Request::new("ec2:RunInstances", "*")));
}

#[test]
fn the_installer_starts_builders_like_hosts_and_removes_only_images_of_ours() {
    let installer = policy("installer");
    let builder = Request::new("ec2:RunInstances", "arn:aws:ec2:us-east-1:123456789012:instance/*")
        .with("aws:RequestTag/paas:cluster", "prod")
        .with("ec2:MetadataHttpTokens", "required")
        .with("ec2:InstanceProfile", "arn:aws:iam::123456789012:instance-profile/paas-prod-host");
    assert!(allows(&installer, &builder));
    assert!(!allows(&installer, &builder.clone().with("ec2:MetadataHttpTokens", "optional")));
    assert!(!allows(&installer, &builder.clone().with("aws:RequestTag/paas:cluster", "other")));
    let control = "arn:aws:iam::123456789012:instance-profile/paas-prod-control";
    let with_more = builder.with("ec2:InstanceProfile", control);
    assert!(!allows(&installer, &with_more), "it would have the control plane's rights");
    assert!(allows(&installer, &with_more.with("aws:RequestTag/paas:part", "control-plane")));

    for (action, of) in [
        ("ec2:DeregisterImage", ":image/ami-1"),
        ("ec2:DeleteSnapshot", ":snapshot/snap-1"),
        ("ec2:CreateImage", "123456789012:instance/i-1"),
    ] {
        let request = Request::new(action, &format!("arn:aws:ec2:us-east-1:{of}"));
        assert!(
            allows(&installer, &request.clone().with("aws:ResourceTag/paas:cluster", "prod")),
            "{action}"
        );
        assert!(
            !allows(&installer, &request.clone().with("aws:ResourceTag/paas:cluster", "other")),
            "{action}"
        );
        assert!(!allows(&installer, &request), "{action}");
    }
    let tag = Request::new("ec2:CreateTags", "arn:aws:ec2:us-east-1::image/ami-1");
    assert!(!allows(&installer, &tag), "a foreign image could be tagged as ours, and then removed");
    assert!(allows(&installer, &tag.with("ec2:CreateAction", "CreateImage")));
    let put = |key: &str| {
        Request::new("s3:PutObject", &format!("arn:aws:s3:::paas-prod-123456789012-us-east-1/{key}"))
    };
    assert!(allows(&installer, &put("bake/a")) && !allows(&installer, &put("slugs/a")));
}
