//! Somebody changes by hand what is the platform's, at the load balancer and at what is before hosts, while visitors come.

use serde_json::Value;

use crate::cloud::{Cloud, texts};
use crate::platform::{HOST, Platform, until};

const ELB: &str = "elasticloadbalancing";

/// The name of the app whose rule goes.
const DOCS: &str = "docs.apps.example.org";

/// What leads visitors to an app.
struct Way {
    listener: String,
    rule: String,
    group: String,
}

impl Platform {
    /// Waits until so many targets are well, of all apps together, and there are no others.
    fn has_well(&self, count: usize) {
        until("all targets to be well", || {
            let groups = self.inventory().groups;
            let states: Vec<&String> = groups.values().flat_map(|targets| targets.values()).collect();
            (states.len() == count && states.iter().all(|state| *state == "healthy")).then_some(())
        });
    }
}

impl Cloud {
    /// Returns what leads visitors who ask for a name, if anything does.
    fn way_to(&self, name: &str) -> Option<Way> {
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let state = self.ask("state");
        let balancers = state["balancers"].as_object()?.values();
        let mut listeners = balancers.flat_map(|balancer| balancer["listeners"].as_array().unwrap());
        listeners.find_map(|listener| {
            let mut rules = listener["rules"].as_array()?.iter();
            let rule = rules.find(|rule| rule["conditions"].to_string().contains(name))?;
            let group = text(&rule["actions"][0]["TargetGroupArn"]);
            Some(Way { listener: text(&listener["arn"]), rule: text(&rule["arn"]), group })
        })
    }

    /// Calls the load balancers as another tool in the account would; it must succeed.
    #[track_caller]
    fn balance(&self, form: &[(&str, &str)]) {
        let answer = self.call(ELB, form);
        assert!(answer.contains("Response"), "{form:?}: {answer}");
    }

    /// Returns the id of a security group of the set-up.
    fn security_group(&self, name: &str) -> String {
        let by_name = [("Filter.1.Name", "group-name"), ("Filter.1.Value.1", name)];
        texts(&self.call("ec2", &[&[("Action", "DescribeSecurityGroups")], &by_name[..]].concat()), "groupId")
            .remove(0)
    }

    /// Returns what a target group is checked by.
    fn matcher(&self, group: &str) -> Vec<String> {
        texts(
            &self.call(ELB, &[("Action", "DescribeTargetGroups"), ("TargetGroupArns.member.1", group)]),
            "HttpCode",
        )
    }
}

/// Takes a target out of an app's group, has the others fail their checks, and sends whom no rule is for elsewhere.
fn disturb(cloud: &Cloud, way: &Way) {
    let state = cloud.ask("state");
    let (target, _) = state["groups"][&way.group]["targets"].as_object().unwrap().iter().next().unwrap();
    let (id, port) = target.split_once(':').unwrap();
    cloud.balance(&[
        ("Action", "DeregisterTargets"),
        ("TargetGroupArn", &way.group),
        ("Targets.member.1.Id", id),
        ("Targets.member.1.Port", port),
    ]);
    cloud.balance(&[
        ("Action", "ModifyTargetGroup"),
        ("TargetGroupArn", &way.group),
        ("Matcher.HttpCode", "299"),
    ]);
    cloud.balance(&[
        ("Action", "ModifyListener"),
        ("ListenerArn", &way.listener),
        ("DefaultActions.member.1.Type", "redirect"),
        ("DefaultActions.member.1.RedirectConfig.Host", "elsewhere.example.org"),
        ("DefaultActions.member.1.RedirectConfig.StatusCode", "HTTP_302"),
    ]);
}

#[test]
fn what_is_changed_by_hand_is_put_back_and_told_and_only_who_has_no_other_way_misses_anything() {
    let Some(platform) = Platform::start() else { return };
    platform.open_shop(3);
    platform.paasctl(&["apps:create", "docs", "--no-remote"]);
    let (deployed, told) = platform.push_to("docs", "docs");
    assert!(deployed, "{told}");
    let (shop, docs) = (platform.cloud.way_to(HOST).unwrap(), platform.cloud.way_to(DOCS).unwrap());
    let (checked, before) = (platform.cloud.matcher(&shop.group), platform.inventory());

    let disturbed = platform.during("a target, a check, a default answer and another app's rule", || {
        disturb(&platform.cloud, &shop);
        platform.cloud.balance(&[("Action", "DeleteRule"), ("RuleArn", &docs.rule)]);
        until("the app without a rule to be missed", || {
            platform.page_of(DOCS).ends_with(" 302").then_some(())
        });
        platform.tells("its targets were changed by hand and are put back");
        platform.tells("its health check was changed by hand and is put back");
        platform.tells("its rules were changed by hand and are put back");
        until("the app to be led to again", || platform.page_of(DOCS).ends_with(" 200").then_some(()));
        platform.has_well(4);
    });
    disturbed.assert_none_failed();
    assert_eq!(platform.cloud.matcher(&shop.group), checked);
    let after = platform.inventory();
    assert_eq!(after.machines, before.machines, "instances are no reason");
    assert!(after.groups.keys().eq(before.groups.keys()));
    // That is nothing that the control plane has a right to.
    let plan = platform.cloud.ok(&[&["aws:plan"], &platform.set_up()[..]].concat());
    assert!(plan.contains("port 80"), "{plan}");

    beyond_the_cap(&platform);
    no_way_to_hosts(&platform);
    no_listener(&platform, &docs);
    assert_eq!(platform.page_of("nobody.apps.example.org"), "There is no app at this address.\n 404");
    assert_eq!(platform.inventory().machines, before.machines, "hosts are well all the time");
    platform.during("after that", || drop(platform.paasctl(&["ps", "-a", "shop"]))).assert_none_failed();
}

/// Takes away what lets load balancers reach hosts: nobody is served until `aws:up` puts it back, and people are told to look there.
fn no_way_to_hosts(platform: &Platform) {
    let cloud = &platform.cloud;
    let (hosts, entrance) =
        (cloud.security_group("paas-prod-host"), cloud.security_group("paas-prod-entrance"));
    let answer = cloud.call(
        "ec2",
        &[
            ("Action", "RevokeSecurityGroupIngress"),
            ("GroupId", &hosts),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "20000"),
            ("IpPermissions.1.ToPort", "29999"),
            ("IpPermissions.1.Groups.1.GroupId", &entrance),
        ],
    );
    assert!(answer.contains("<return>true</return>"), "{answer}");
    until("visitors to be shut out", || (!platform.page().ends_with(" 200")).then_some(()));
    platform.tells("none of them is reached, and `paasctl aws:plan` shows whether the way there was changed");
    assert_eq!(platform.replicas().len(), 3, "they are well where they run");
    let plan = cloud.ok(&[&["aws:plan"], &platform.set_up()[..]].concat());
    assert!(plan.contains("security group of the hosts"), "{plan}");
    cloud.ok(&[&["aws:up", "--yes"], &platform.set_up()[..]].concat());
    platform.let_in();
    platform.has_well(4);
}

/// Asks for a further load balancer, which is dearer than the platform may be.
fn beyond_the_cap(platform: &Platform) {
    let decided = platform.shown(&["cost"])["committed_per_month"].as_f64().unwrap();
    platform.paasctl(&["cost:cap", &format!("{}", decided.ceil() + 10.0)]);
    let asked = |command: &[&str]| {
        let words = [command, &platform.set_up()[..], &["--balancers", "2"]].concat();
        let output = platform.command(&words).output().unwrap();
        let told =
            [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        (output.status.success(), told)
    };
    let (shown, told) = asked(&["aws:plan"]);
    assert!(shown && told.contains("`paasctl aws:up` refuses them: the platform would cost $"), "{told}");
    let (made, told) = asked(&["aws:up", "--yes"]);
    assert!(!made && told.contains("its cap is $") && told.contains("paasctl cost:cap"), "{told}");
    assert!(!told.contains("created"), "{told}");
    platform.paasctl(&["cost:cap", "none"]);
    let (shown, told) = asked(&["aws:plan"]);
    assert!(shown && !told.contains("refuses"), "{told}");
}

/// Removes the listener with all its rules, and the group of an app: `aws:up` puts back the one, the platform the rest.
fn no_listener(platform: &Platform, docs: &Way) {
    platform.cloud.balance(&[("Action", "DeleteListener"), ("ListenerArn", &docs.listener)]);
    platform.cloud.balance(&[("Action", "DeleteTargetGroup"), ("TargetGroupArn", &docs.group)]);
    platform.tells("there is none with the platform's tag and a listener");
    let left: Vec<String> = platform.inventory().groups.into_keys().collect();
    assert_eq!(left.len(), 1, "the other app keeps its group: {left:?}");
    platform.cloud.ok(&[&["aws:up", "--yes"], &platform.set_up()[..]].concat());
    platform.let_in();
    until("both apps to be led to again", || {
        [HOST, DOCS].iter().all(|name| platform.page_of(name).ends_with(" 200")).then_some(())
    });
    platform.has_well(4);
    platform.tells("its target group was removed by hand and is made again");
    assert!(platform.inventory().groups.contains_key(&left[0]), "no group was made twice");
}
