//! What the platform made beside its set-up: hosts, images, target groups. They go before the set-up does.

use aws_sdk_ec2::types::{Filter, Instance, VolumeState};

use super::ours;
use crate::bake::{images, snapshots};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::control::{CONTROL_PART, controls};
use crate::dns;
use crate::failure::Failure;
use crate::setup::{CLUSTER_TAG, Found, Leftover, PART_TAG, Wish};

/// How many resources a call may ask the tags of.
const TAGS_AT_ONCE: usize = 20;

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"].map(str::to_owned);
    let alive = Filter::builder().name("instance-state-name").set_values(Some(alive.to_vec())).build();
    let call = clients.ec2.describe_instances().filters(ours(&wish.name)).filters(alive);
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
    let instances = all.iter().flat_map(|reservation| reservation.instances());
    found.leftovers.extend(instances.filter_map(machine));
    found.leftovers.extend(disks(clients, wish).await?.into_iter().map(Leftover::Disk));
    let images = images(clients, &wish.name).await?;
    found.leftovers.extend(images.into_iter().map(|image| Leftover::Image(image.id)));
    found.leftovers.extend(snapshots(clients, &wish.name).await?.into_iter().map(Leftover::Snapshot));
    found.leftovers.extend(target_groups(clients, wish).await?.into_iter().map(Leftover::TargetGroup));
    Ok(())
}

/// Notes the platform's names in DNS. A zone may be large, and not everybody may read it, so that only who removes them looks.
pub(in crate::setup) async fn names(
    clients: &Clients,
    wish: &Wish,
    found: &mut Found,
) -> Result<(), Failure> {
    if let Some(zone) = &found.dns_zone
        && dns::has_names(clients, zone, &wish.name).await?
    {
        found.leftovers.insert(Leftover::Names(zone.clone()));
    }
    Ok(())
}

/// Returns whether a machine is a host or the control plane's.
fn machine(instance: &Instance) -> Option<Leftover> {
    let id = instance.instance_id()?.to_owned();
    let part = instance.tags().iter().find(|tag| tag.key() == Some(PART_TAG)).and_then(|tag| tag.value());
    Some(if part == Some(CONTROL_PART) { Leftover::Control(id) } else { Leftover::Host(id) })
}

/// Returns the control plane's disks, which outlive their machines.
async fn disks(clients: &Clients, wish: &Wish) -> Result<Vec<String>, Failure> {
    let call = clients.ec2.describe_volumes().filters(ours(&wish.name)).filters(controls());
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeVolumes")?;
    let there =
        all.iter().filter(|disk| !matches!(disk.state(), Some(VolumeState::Deleting | VolumeState::Deleted)));
    Ok(there.filter_map(|disk| disk.volume_id()).map(str::to_owned).collect())
}

async fn target_groups(clients: &Clients, wish: &Wish) -> Result<Vec<String>, Failure> {
    let call = clients.elb.describe_target_groups();
    let all: Vec<_> = call
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .of("elasticloadbalancing:DescribeTargetGroups")?;
    let prefix = format!("paas-{}-", wish.name);
    let named =
        all.iter().filter(|group| group.target_group_name().is_some_and(|name| name.starts_with(&prefix)));
    let arns: Vec<String> = named.filter_map(|group| group.target_group_arn()).map(str::to_owned).collect();
    let mut ours = Vec::new();
    for some in arns.chunks(TAGS_AT_ONCE) {
        let call = clients.elb.describe_tags().set_resource_arns(Some(some.to_vec()));
        let answer = call.send().await.of("elasticloadbalancing:DescribeTags")?;
        for of in answer.tag_descriptions() {
            let is_ours = |tag: &aws_sdk_elasticloadbalancingv2::types::Tag| {
                tag.key() == Some(CLUSTER_TAG) && tag.value() == Some(wish.name.as_str())
            };
            ours.extend(of.resource_arn().filter(|_| of.tags().iter().any(is_ours)).map(str::to_owned));
        }
    }
    Ok(ours)
}
