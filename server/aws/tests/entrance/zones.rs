//! Zones that are added later are the load balancer's, too: in others it uses no target.

use std::collections::BTreeSet;

use aws::setup::{Entrance, Patience, Wish, up};

use crate::region::{Simcloud, ZONES};

fn wish(zones: &[&str]) -> Wish {
    Wish { zones: zones.iter().map(|zone| (*zone).to_owned()).collect(), ..Simcloud::wish() }
}

/// Returns the zones that the only load balancer is in.
async fn zones(sky: &Simcloud) -> BTreeSet<String> {
    let shown = sky.clients().await.elb.describe_load_balancers().send().await.unwrap();
    let zones = shown.load_balancers()[0].availability_zones().iter();
    zones.map(|zone| zone.zone_name().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_load_balancer_is_put_into_zones_that_come_and_taken_out_of_none() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up_as(wish(&ZONES[..2])).await;
    assert_eq!(zones(&sky).await.len(), 2);
    let mut steps = Vec::new();
    up(&sky.clients().await, &wish(&ZONES[1..]), Patience::default(), |progress| {
        steps.push(format!("{progress:?}"));
    })
    .await
    .unwrap();
    assert_eq!(steps.iter().filter(|step| step.contains("Set(Subnets)")).count(), 2, "{steps:#?}");
    assert_eq!(zones(&sky).await, ZONES.map(str::to_owned).into());
    let mut steps = 0;
    up(&sky.clients().await, &wish(&ZONES[..2]), Patience::default(), |_| steps += 1).await.unwrap();
    assert_eq!((steps, zones(&sky).await.len()), (0, 3));
}

#[tokio::test]
async fn in_a_network_that_was_adopted_the_subnets_that_are_named_count() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    let ec2 = sky.clients().await.ec2;
    let shown = ec2.describe_subnets().send().await.unwrap();
    let of_ours = |subnet: &&aws_sdk_ec2::types::Subnet| {
        let part =
            subnet.tags().iter().find(|tag| tag.key() == Some("paas:part")).and_then(|tag| tag.value());
        part.is_some_and(|part| part.starts_with("public-subnet"))
    };
    let subnets: Vec<_> = shown.subnets().iter().filter(of_ours).collect();
    let ids: Vec<String> = subnets.iter().map(|one| one.subnet_id().unwrap().to_owned()).collect();
    let wish = |ids: &[String]| Wish {
        name: "guest".parse().unwrap(),
        network: aws::setup::Network::Adopted {
            vpc: subnets[0].vpc_id().unwrap().to_owned(),
            public_subnets: ids.to_vec(),
            host_subnets: ids.to_vec(),
        },
        entrance: Entrance::Own { certificate: None },
        ..Simcloud::wish()
    };
    let of_guest = async || {
        let call = sky.clients().await.elb.describe_load_balancers().names("paas-guest");
        let shown = call.send().await.unwrap();
        let zones = shown.load_balancers()[0].availability_zones().iter();
        zones.map(|zone| zone.subnet_id().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    for wanted in [&ids[..2], &ids[..], &ids[1..]] {
        sky.set_up_as(wish(wanted)).await;
        assert_eq!(of_guest().await, wanted.iter().cloned().collect());
    }
}
