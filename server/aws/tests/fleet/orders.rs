//! One order is one instance, from its first moment to its end.

use aws::fleet::Ec2;
use aws::setup::{Egress, Patience, Wish, ground, up};
use cloud::{Cloud as _, Listed};
use model::id::LaunchId;
use model::instances::{InstanceId, Lifecycle, Refusal, Room, State};
use serde_json::json;

use crate::hosts::order;
use crate::region::{IMAGE, Simcloud};

const RUN: &str = "ec2 RunInstances";

#[tokio::test]
async fn the_set_up_says_where_hosts_go_and_what_they_are() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let nowhere = Ec2::new(sky.clients().await, "prod".parse().unwrap(), Vec::new());
    let error = nowhere.site().await.unwrap_err();
    assert!(error.contains("paasctl aws:up --name prod"), "{error}");

    let site = sky.ec2().await.site().await.unwrap();
    assert_eq!((site.account.as_str(), site.region.as_str()), ("123456789012", "us-east-1"));
    assert_eq!(site.zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!((site.image.as_str(), site.usual.name.as_str()), (IMAGE, "t3.medium"));
    assert_eq!(site.usual.offers, Room { memory_mb: 4096 * 85 / 100, cpu_millicores: 2_000 });
    assert_eq!((site.nats, site.public_addresses, site.disk_gb), (Some(0), true, Some(40)));
}

#[tokio::test]
async fn of_the_way_out_is_paid_for_what_was_planned() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let wish = Wish { egress: Egress::NatPerZone, ..Simcloud::wish() };
    up(&sky.clients().await, &wish, Patience::default(), |_| {}).await.unwrap();
    let site = async || {
        let ec2 = Ec2::new(sky.clients().await, wish.name.clone(), Vec::new());
        ec2.site().await.unwrap()
    };
    let (there, planned) = (site().await, ground(&wish));
    assert_eq!((there.nats, there.public_addresses), (Some(planned.nats), planned.host_addresses));
    assert_eq!(planned.nats, 3);

    let fault = json!({ "service": "ec2", "action": "DescribeNatGateways", "code": "UnauthorizedOperation" });
    sky.tell("fault", &fault);
    let there = site().await;
    assert_eq!((there.nats, there.zones.len()), (None, 3), "hosts go on without it");
}

#[tokio::test]
async fn an_order_is_one_instance_however_often_it_is_made() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    let order = order("us-east-1b");
    let id = ec2.launch(&order).await.unwrap();
    assert_eq!(ec2.launch(&order).await.unwrap(), id);
    let listed = ec2.list().await.unwrap();
    let [Listed { id: shown, launch, image, private_ip, state, .. }] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((shown, launch, image.as_str()), (&id, &Some(order.launch), IMAGE));
    assert!(private_ip.is_some() && matches!(state, State::Pending | State::Running));
    let there = &sky.ask("state")["instances"][id.as_str()];
    assert_eq!(there["zone"], "us-east-1b");
    assert_eq!(there["tags"]["paas:cluster"], "prod");
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_deed_leads_to_no_second_instance() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    let order = order("us-east-1a");
    sky.tell("fault", &json!({ "service": "ec2", "action": "RunInstances", "drop": "after", "times": 1 }));
    let refused = ec2.launch(&order).await.unwrap_err();
    assert_eq!((refused.refusal, sky.calls(RUN)), (Refusal::Unanswered, 1), "the SDK repeats nothing");
    let listed = ec2.list().await.unwrap();
    assert_eq!(listed[0].launch, Some(order.launch), "its mark says what it is");
    assert_eq!(ec2.launch(&order).await.unwrap(), listed[0].id);
    assert_eq!(ec2.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_spot_instance_is_asked_for_as_one_and_costs_more_only_if_that_is_wanted() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    let mut spot = order("us-east-1a");
    (spot.pool.lifecycle, spot.pool.instance_type) = (Lifecycle::Spot, "m5.large".to_owned());
    let id = ec2.launch(&spot).await.unwrap();
    let there = &sky.ask("state")["instances"][id.as_str()];
    assert_eq!((&there["lifecycle"], &there["type"]), (&"spot".into(), &"m5.large".into()));
    sky.tell("capacity", &json!({ "us-east-1a/m5.large/spot": 0 }));
    spot.launch = LaunchId::new();
    assert_eq!(ec2.launch(&spot).await.unwrap_err().refusal, Refusal::NoCapacity);
    spot.pool.lifecycle = Lifecycle::OnDemand;
    spot.launch = LaunchId::new();
    ec2.launch(&spot).await.unwrap();
}

#[tokio::test]
async fn the_end_of_some_is_not_held_up_by_one_that_nobody_knows() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    let mut ids = Vec::new();
    for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
        ids.push(ec2.launch(&order(zone)).await.unwrap());
    }
    let unknown: InstanceId = "i-00000000000000abc".parse().unwrap();
    ids.insert(1, unknown.clone());
    ec2.terminate(&ids).await.unwrap();
    let listed = ec2.list().await.unwrap();
    assert_eq!(listed.len(), 3, "those that have ended are shown for a while");
    assert!(listed.iter().all(|one| one.state == State::Ended), "{listed:?}");
    ec2.terminate(&ids).await.unwrap();
    ec2.terminate(&[]).await.unwrap();
}
