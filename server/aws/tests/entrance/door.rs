//! The control plane's own way in, by two servers: who leads makes it, each registers itself, and what is not right is put right.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws::entrance::LoadBalancers;
use cloud::entrance::{Balancers as _, DoorKeeper as _, DoorWish, Rule};
use model::entrance::{Target, TargetHealth};
use serde_json::json;

use crate::region::Simcloud;

/// The name that people come to.
const HOST: &str = "api.apps.example.org";

pub(super) struct Server {
    instance: String,
    address: SocketAddr,
}

impl Server {
    pub(super) async fn start(sky: &Simcloud) -> Self {
        let instance = sky.instance().await;
        let call = sky.clients().await.ec2.describe_instances().instance_ids(&instance);
        let shown = call.send().await.unwrap();
        let ip = shown.reservations()[0].instances()[0].private_ip_address().unwrap();
        let address = SocketAddr::new(ip.parse().unwrap(), 5_000);
        Self { instance, address }
    }

    pub(super) fn wish(&self, leads: bool) -> DoorWish {
        DoorWish { host: HOST.parse().unwrap(), server: self.address, leads }
    }

    fn target(&self) -> Target {
        Target { instance: self.instance.parse().unwrap(), port: 5_000 }
    }
}

/// Returns the rules for the name, and the group that the only one leads to.
async fn rule(balancers: &LoadBalancers) -> (Rule, String) {
    let listed = balancers.balancers().await.unwrap();
    let rules = balancers.rules(&listed[0].listener).await.unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!(rule.hosts, [HOST.parse().unwrap()].into());
    (rule.clone(), rule.group.clone().unwrap())
}

/// Has servers keep the door until the targets are as they should be.
async fn until(
    balancers: &LoadBalancers,
    wishes: &[DoorWish],
    group: &str,
    is_right: impl Fn(&[(Target, TargetHealth)]) -> bool,
) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        for wish in wishes {
            balancers.keep(wish).await.unwrap();
        }
        let listed: Vec<_> = balancers.health(group).await.unwrap().into_iter().collect();
        if is_right(&listed) {
            return;
        }
        assert!(Instant::now() < deadline, "{listed:?}");
    }
}

#[tokio::test]
async fn servers_register_themselves_and_one_whose_machine_is_gone_is_taken_out_by_another() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1, "stop": 0.1, "health_scale": 0.05, "drain_scale": 0.01 }));
    let balancers = sky.balancers().await;
    let (first, second) = (Server::start(&sky).await, Server::start(&sky).await);
    assert_eq!(balancers.keep(&second.wish(false)).await.unwrap().health, None, "nobody leads yet");
    assert_eq!(balancers.keep(&first.wish(true)).await.unwrap().health, Some(TargetHealth::Initial));
    let (_, group) = rule(&balancers).await;
    let both = [first.wish(true), second.wish(false)];
    let healthy = |listed: &[(Target, TargetHealth)], servers: &[&Server]| {
        listed.len() == servers.len()
            && servers.iter().all(|one| listed.contains(&(one.target(), TargetHealth::Healthy)))
    };
    until(&balancers, &both, &group, |listed| healthy(listed, &[&first, &second])).await;

    let ec2 = sky.clients().await.ec2;
    ec2.stop_instances().instance_ids(&second.instance).send().await.unwrap();
    until(&balancers, &both[..1], &group, |listed| healthy(listed, &[&first])).await;
    // It listens at another port from now on.
    let moved = SocketAddr::new(first.address.ip(), 5_002);
    let moved = Server { instance: first.instance.clone(), address: moved };
    let wish = [moved.wish(true)];
    let target = Target { port: 5_002, ..first.target() };
    until(&balancers, &wish, &group, |listed| listed == [(target.clone(), TargetHealth::Healthy)]).await;
}

#[tokio::test]
async fn the_door_is_no_apps_and_what_was_changed_by_hand_is_put_back() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1 }));
    let balancers = sky.balancers().await;
    let server = Server::start(&sky).await;
    balancers.keep(&server.wish(true)).await.unwrap();
    let (made, group) = rule(&balancers).await;
    assert!(!made.ours, "who keeps apps' rules leaves it alone");
    assert_eq!(balancers.groups().await.unwrap(), [], "nor is its group an app's");

    let elb = sky.clients().await.elb;
    elb.modify_target_group().target_group_arn(&group).health_check_path("/wrong").send().await.unwrap();
    elb.delete_rule().rule_arn(&made.arn).send().await.unwrap();
    let other = DoorWish { host: "old.example.org".parse().unwrap(), ..server.wish(true) };
    balancers.keep(&other).await.unwrap();
    balancers.keep(&server.wish(true)).await.unwrap();
    assert_eq!(rule(&balancers).await.1, group);
    let shown = elb.describe_target_groups().target_group_arns(&group).send().await.unwrap();
    assert_eq!(shown.target_groups()[0].health_check_path(), Some("/health"));
}

#[tokio::test]
async fn a_server_that_is_no_instance_of_the_network_is_told_so() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let balancers = sky.balancers().await;
    let wish =
        DoorWish { host: HOST.parse().unwrap(), server: "10.20.0.99:5000".parse().unwrap(), leads: true };
    let refused = balancers.keep(&wish).await.unwrap_err();
    assert!(refused.says.contains("has this server's address 10.20.0.99"), "{refused}");
}
