//! Each call does what the hands of the entrance ask of it, and is read back as it was made.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::entrance::LoadBalancers;
use aws::failure::Kind;
use aws::setup::{Entrance, Patience, Wish, up};
use aws_sdk_elasticloadbalancingv2::types::Tag;
use cloud::entrance::{Balancers as _, Check, Leads, Listed, Manners, NewGroup};
use model::app::AppSettings;
use model::entrance::{Target, TargetHealth, group_name};
use model::id::AppId;
use model::name::Hostname;
use serde_json::json;

use crate::region::Simcloud;

/// Targets in a group's list, and how each is.
type TargetList = [(Target, TargetHealth)];

fn new_group(app: AppId, balancer: &Listed) -> NewGroup {
    NewGroup {
        name: group_name("prod", app, &balancer.name),
        app,
        balancer: balancer.name.clone(),
        network: balancer.network.clone(),
        check: Check::of(&AppSettings::default()),
    }
}

fn names(names: &[&str]) -> BTreeSet<Hostname> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn made(balancers: &LoadBalancers) -> (Listed, String, AppId) {
    let listed = balancers.balancers().await.unwrap();
    let [balancer] = &listed[..] else { panic!("{listed:?}") };
    let app = AppId::new();
    let group = balancers.create_group(&new_group(app, balancer)).await.unwrap();
    (balancer.clone(), group, app)
}

#[tokio::test]
async fn a_group_is_made_once_and_read_back_with_whose_it_is_and_how_it_checks() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let balancers = sky.balancers().await;
    let (balancer, arn, app) = made(&balancers).await;
    let new = new_group(app, &balancer);
    assert_eq!(balancers.create_group(&new).await.unwrap(), arn, "the same again is the same group");
    let groups = balancers.groups().await.unwrap();
    let [group] = &groups[..] else { panic!("{groups:?}") };
    assert_eq!((&group.arn, group.app, &group.balancer), (&arn, Some(app), &balancer.name));
    assert!(!balancer.tls, "it has no certificate");
    assert_eq!(group.check, new.check);
    let check = Check { path: "/up".to_owned(), interval: 9, timeout: 8, ..new.check };
    balancers.set_check(&arn, &check).await.unwrap();
    assert_eq!(balancers.groups().await.unwrap()[0].check, check);
    let manners = Manners { drain_seconds: 17, sticky: true };
    balancers.set_manners(&arn, &manners).await.unwrap();
    assert_eq!(balancers.manners(&arn).await.unwrap(), manners);
    balancers.delete_group(&arn).await.unwrap();
    balancers.delete_group(&arn).await.unwrap();
    assert_eq!(balancers.groups().await.unwrap(), []);
    assert!(balancers.health(&arn).await.unwrap_err().unknown);
}

#[tokio::test]
async fn a_rule_leads_names_to_a_group_and_its_number_is_its_own() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let balancers = sky.balancers().await;
    let (balancer, group, _) = made(&balancers).await;
    let mut leads = Leads { hosts: names(&["shop.example.org", "*.shop.example.org"]), group };
    balancers.create_rule(&balancer.listener, 1_000, &leads).await.unwrap();
    let taken = balancers.create_rule(&balancer.listener, 1_000, &leads).await.unwrap_err();
    assert!(taken.says.contains("PriorityInUse"), "{taken}");
    leads.hosts = names(&["www.example.org"]);
    let rules = balancers.rules(&balancer.listener).await.unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert!(rule.ours && rule.priority == 1_000 && rule.hosts.len() == 2);
    balancers.set_rule(&rule.arn, &leads).await.unwrap();
    let rules = balancers.rules(&balancer.listener).await.unwrap();
    assert_eq!((&rules[0].hosts, rules[0].group.as_ref()), (&leads.hosts, Some(&leads.group)));
    balancers.delete_rule(&rules[0].arn).await.unwrap();
    balancers.delete_rule(&rules[0].arn).await.unwrap();
    assert_eq!(balancers.rules(&balancer.listener).await.unwrap(), []);
}

#[tokio::test]
async fn two_replicas_on_one_instance_are_two_targets_that_become_healthy_and_leave() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1, "health_scale": 0.05, "drain_scale": 0.05 }));
    let balancers = sky.balancers().await;
    let (balancer, group, _) = made(&balancers).await;
    let leads = Leads { hosts: names(&["shop.example.org"]), group: group.clone() };
    balancers.create_rule(&balancer.listener, 1_000, &leads).await.unwrap();
    let instance = sky.instance().await;
    let target = |port| Target { instance: instance.parse().unwrap(), port };
    balancers.register(&group, &[target(20_000), target(20_001)]).await.unwrap();
    let until = async |wanted: &dyn Fn(&TargetList) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let listed: Vec<_> = balancers.health(&group).await.unwrap().into_iter().collect();
            if wanted(&listed) {
                return;
            }
            assert!(Instant::now() < deadline, "{listed:?}");
        }
    };
    let healthy = |listed: &[(Target, TargetHealth)]| {
        listed.len() == 2 && listed.iter().all(|(_, health)| *health == TargetHealth::Healthy)
    };
    until(&healthy).await;
    balancers.deregister(&group, &[target(20_000)]).await.unwrap();
    balancers.deregister(&group, &[target(20_000), target(29_999)]).await.unwrap();
    until(&|listed| listed.iter().all(|(one, _)| one.port != 20_000) && listed.len() == 1).await;
    let stranger = Target { instance: "i-0123456789abcdef0".parse().unwrap(), port: 1 };
    assert!(balancers.register(&group, &[stranger]).await.unwrap_err().unknown);
}

#[tokio::test]
async fn what_bears_another_platforms_tag_is_not_listed_and_a_call_that_fails_gives_no_list() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let balancers = sky.balancers().await;
    made(&balancers).await;
    let other = sky.balancers_of("other").await;
    assert_eq!((other.balancers().await.unwrap().len(), other.groups().await.unwrap().len()), (0, 0));
    let fault = json!({ "service": "elasticloadbalancing", "action": "DescribeTargetGroups", "code": "AccessDenied" });
    sky.tell("fault", &fault);
    let refused = balancers.groups().await.unwrap_err();
    assert!(
        refused.says.contains("policy must allow elasticloadbalancing:DescribeTargetGroups"),
        "{refused}"
    );
    assert!(refused.clear, "it says nothing of other calls");
}

#[tokio::test]
async fn one_that_was_adopted_is_used_and_one_that_is_tagged_later_is_ours() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";
    let entrance = Entrance::Own { certificate: Some(certificate.to_owned()) };
    let wrong = Wish { entrance, ..Simcloud::wish() };
    let stopped = up(&sky.clients().await, &wrong, Patience::default(), |_| {}).await.unwrap_err();
    assert_eq!(stopped.failure.kind, Kind::Refused, "a certificate that is not there is not waited for");
    let call = sky.clients().await.iam.upload_server_certificate().server_certificate_name("apps");
    let made = call.certificate_body("a").private_key("a").send().await.unwrap();
    let certificate = made.server_certificate_metadata().unwrap().arn().to_owned();
    let entrance = Entrance::Own { certificate: Some(certificate) };
    sky.set_up_as(Wish { entrance, ..Simcloud::wish() }).await;
    let clients = sky.clients().await;
    let shown = clients.elb.describe_load_balancers().send().await.unwrap();
    let arn = shown.load_balancers()[0].load_balancer_arn().unwrap().to_owned();
    let elb = clients.elb.clone();
    let other = LoadBalancers::new(Arc::new(clients), "other".parse().unwrap(), vec![arn.clone()]);
    let listed = other.balancers().await.unwrap();
    let [adopted] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((adopted.ours, adopted.tls, adopted.name.as_str()), (false, true, "paas-prod"));

    let tag = Tag::builder().key("paas:cluster").value("other").build();
    elb.add_tags().resource_arns(&arn).tags(tag).send().await.unwrap();
    assert!(other.balancers().await.unwrap()[0].ours);
}
