//! Looks at builders, images and snapshots of a platform, found by their tags.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{
    Filter, Image as Ec2Image, ImageState as Ec2ImageState, Instance, InstanceStateName, Tag,
};
use aws_smithy_types::base64;

use super::{BAKE_TAG, Builder, BuilderState, Image, ImageState, Seen, outcome};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{CLUSTER_TAG, ClusterName, Patience, bear, default_version};

/// Looks at all of it, for who wants an image of this fingerprint in a launch template.
///
/// # Errors
/// AWS does not answer for long.
pub async fn look(
    clients: &Clients,
    name: &ClusterName,
    template: &str,
    fingerprint: &str,
) -> Result<Seen, Failure> {
    let once = async || once(clients, name, template, fingerprint).await;
    bear(Patience::default(), Kind::is_passing, once).await
}

async fn once(
    clients: &Clients,
    name: &ClusterName,
    template: &str,
    fingerprint: &str,
) -> Result<Seen, Failure> {
    let started = default_version(clients, template).await?;
    let mut seen = Seen {
        builders: builders(clients, name).await?,
        images: images(clients, name).await?,
        snapshots: snapshots(clients, name).await?,
        in_use: started.and_then(|data| data.image_id),
        console: Vec::new(),
    };
    let there =
        |builder: &&Builder| builder.state != BuilderState::Gone && builder.fingerprint == fingerprint;
    if let Some(at) = seen.builders.iter().position(|builder| there(&builder)) {
        let stopped = seen.builders[at].state == BuilderState::Stopped;
        let printed = console(clients, &seen.builders[at].id, stopped).await?;
        seen.note_console(&printed);
        seen.builders[at].outcome = outcome(&printed, fingerprint);
    }
    Ok(seen)
}

async fn builders(clients: &Clients, name: &ClusterName) -> Result<Vec<Builder>, Failure> {
    let call = clients.ec2.describe_instances().set_filters(Some(ours(name)));
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
    Ok(all.iter().flat_map(|reservation| reservation.instances()).filter_map(builder).collect())
}

fn builder(instance: &Instance) -> Option<Builder> {
    let state = match instance.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Stopped) => BuilderState::Stopped,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => BuilderState::Gone,
        _ => BuilderState::Working,
    };
    let launched = instance.launch_time().and_then(|time| SystemTime::try_from(*time).ok());
    // A clock that is behind AWS's makes it no older than new.
    let age = launched.and_then(|time| time.elapsed().ok()).unwrap_or(Duration::ZERO);
    Some(Builder {
        id: instance.instance_id()?.to_owned(),
        fingerprint: fingerprint_of(instance.tags())?,
        state,
        age,
        outcome: None,
    })
}

/// Returns what a machine has printed. While it runs, AWS shows what is new only of some types of instances, and it is only
/// shown to people; when it is off, AWS keeps all of it.
async fn console(clients: &Clients, id: &str, stopped: bool) -> Result<String, Failure> {
    let call = clients.ec2.get_console_output().instance_id(id).latest(!stopped);
    let output = match call.send().await.of("ec2:GetConsoleOutput") {
        Err(failure) if stopped || failure.kind == Kind::Denied => return Err(failure),
        outcome => outcome.ok().and_then(|answer| answer.output).unwrap_or_default(),
    };
    let printed = base64::decode(output.trim()).unwrap_or_default();
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Returns the platform's images.
pub(crate) async fn images(clients: &Clients, name: &ClusterName) -> Result<Vec<Image>, Failure> {
    let call = clients.ec2.describe_images().owners("self").set_filters(Some(ours(name)));
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeImages")?;
    Ok(all.iter().filter_map(image).collect())
}

fn image(image: &Ec2Image) -> Option<Image> {
    let state = match image.state() {
        Some(Ec2ImageState::Available) => ImageState::Available,
        Some(Ec2ImageState::Deregistered) => return None,
        Some(Ec2ImageState::Pending | Ec2ImageState::Transient) => ImageState::Pending,
        _ => ImageState::Failed,
    };
    let disks = image.block_device_mappings().iter().filter_map(|disk| disk.ebs());
    Some(Image {
        id: image.image_id()?.to_owned(),
        fingerprint: fingerprint_of(image.tags())?,
        state,
        created: image.creation_date().unwrap_or_default().to_owned(),
        snapshots: disks.filter_map(|disk| disk.snapshot_id()).map(str::to_owned).collect(),
    })
}

/// Returns the ids of the platform's snapshots.
pub(crate) async fn snapshots(clients: &Clients, name: &ClusterName) -> Result<Vec<String>, Failure> {
    let call = clients.ec2.describe_snapshots().owner_ids("self").set_filters(Some(ours(name)));
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeSnapshots")?;
    Ok(all.iter().filter_map(|snapshot| snapshot.snapshot_id()).map(str::to_owned).collect())
}

/// Returns the filters for what was baked for the platform.
fn ours(name: &ClusterName) -> Vec<Filter> {
    let cluster = Filter::builder().name(format!("tag:{CLUSTER_TAG}")).values(name.as_str());
    let baked = Filter::builder().name("tag-key").values(BAKE_TAG);
    vec![cluster.build(), baked.build()]
}

fn fingerprint_of(tags: &[Tag]) -> Option<String> {
    tags.iter().find(|tag| tag.key() == Some(BAKE_TAG))?.value().map(str::to_owned)
}
